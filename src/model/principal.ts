import type { HeaderSet } from './answer.ts';
import type { Charge } from './limit-memory.ts';
import type { Limit, Plan } from './plan.ts';
import type { CompiledPolicy } from './policy.ts';
import type { Role, Subject } from './subject.ts';

/** What one policy makes of one subject: computed on first use, kept with the subject, recomputed after a reload. */
export interface Principal {
  readonly subject: Subject;
  /** The `generation` of the policy that this was derived from. */
  readonly generation: number;
  /** Granted and implied scopes, within what the owner's role may hold. */
  readonly scopes: ReadonlySet<string>;
  /** Space separated, sorted. */
  readonly scopeText: string;
  readonly plan: Plan;
  /** The plan's limits that count by key, user or organization. */
  readonly charges: readonly Charge[];
  /** The plan's limits that count by client address: their buckets are known per request only. */
  readonly addressLimits: readonly Limit[];
  readonly headers: HeaderSet;
  /** Principal headers that do not apply here: removed from the request instead of set. */
  readonly absentHeaders: readonly string[];
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
  const scopes = effectiveScopes(subject, policy);
  const scopeText = [...scopes].sort().join(' ');
  const plan = planOf(subject, policy);
  const headers = principalHeaders(subject, policy.principalHeaders, {
    scopes: scopeText,
    plan: plan.name,
  });
  return {
    subject,
    generation: policy.generation,
    scopes,
    scopeText,
    plan,
    charges: plan.limits.flatMap((limit) => identityCharge(limit, subject)),
    addressLimits: plan.limits.filter((limit) => limit.per === 'client_address'),
    // Envoy may drop an empty value and keep the client's own: what is empty has to be removed by name.
    headers: { lines: headers.filter((line) => line.value !== ''), encoded: undefined },
    absentHeaders: headers.filter((line) => line.value === '').map((line) => line.name),
  };
}

/** A key acts as its owner at most: what the role may not hold is not held, even where a wider scope implies it. */
function effectiveScopes(subject: Subject, policy: CompiledPolicy): ReadonlySet<string> {
  const scopes = new Set<string>();
  const bounds = rolesOf(subject.ownerRole).flatMap((role) => policy.roleScopes.get(role) ?? []);
  for (const granted of subject.scopes) {
    for (const scope of policy.impliedScopes.get(granted) ?? [granted]) {
      if (bounds.every((bound) => bound.has(scope))) scopes.add(scope);
    }
  }
  return scopes;
}

/** The roles that bound a key. It never acts as super_admin, which reaches over all organizations: the next lower role bounds it too. */
function rolesOf(ownerRole: Role | null): readonly Role[] {
  if (ownerRole === null) return [];
  return ownerRole === 'super_admin' ? ['super_admin', 'org_admin'] : [ownerRole];
}

/** A plan that the policy no longer has must not lift every limit: the default's apply. */
function planOf(subject: Subject, policy: CompiledPolicy): Plan {
  const name = subject.plan ?? subject.organizationPlan ?? 'default';
  return policy.plans.get(name) ?? policy.plans.get('default') ?? { name: 'default', limits: [] };
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

function principalHeaders(
  subject: Subject,
  names: CompiledPolicy['principalHeaders'],
  held: { readonly scopes: string; readonly plan: string },
): HeaderSet['lines'] {
  return [
    { name: names.id, value: subject.ownerId ?? subject.keyId },
    { name: names.organization, value: subject.organizationId },
    { name: names.scopes, value: held.scopes },
    { name: names.plan, value: held.plan },
    { name: names.credential, value: subject.keyId },
    { name: names.method, value: 'api_key' },
  ];
}
