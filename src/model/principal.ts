import { type Grant, grantOf } from './grant.ts';
import type { Charge } from './limit-memory.ts';
import type { Limit } from './plan.ts';
import type { CompiledPolicy } from './policy.ts';
import type { Subject } from './subject.ts';

/**
 * What one policy makes of one subject: computed on first use, kept with the subject, recomputed after a reload. There may
 * be a million of them, so each holds little of its own.
 */
export interface Principal {
  readonly subject: Subject;
  /** The `generation` of the policy that this was derived from. */
  readonly generation: number;
  readonly grant: Grant;
  /** The plan's limits that count by key, user or organization. */
  readonly charges: readonly Charge[];
}

/** The subject under this policy. The same object for every request until the subject or the policy changes. */
export function principalOf(subject: Subject, policy: CompiledPolicy): Principal {
  const known = subject.principal;
  if (known !== undefined && known.generation === policy.generation) return known;
  const derived = derive(subject, policy);
  subject.principal = derived;
  return derived;
}

function derive(subject: Subject, policy: CompiledPolicy): Principal {
  const grant = grantOf(subject, policy);
  return {
    ...{ subject, generation: policy.generation, grant },
    charges: grant.plan.limits.flatMap((limit) => identityCharge(limit, subject)),
  };
}

function identityCharge(limit: Limit, subject: Subject): Charge[] {
  switch (limit.per) {
    case 'key':
      return [{ limit, partition: 'identity', bucket: `${limit.id}|${subject.id}` }];
    case 'user':
      // A key without an owner is its own user: it must not share a counter with other ownerless keys.
      return [
        { limit, partition: 'identity', bucket: `${limit.id}|${subject.ownerId ?? subject.id}` },
      ];
    case 'organization':
      return [{ limit, partition: 'identity', bucket: `${limit.id}|${subject.organizationId}` }];
    case 'client_address':
      return [];
  }
}
