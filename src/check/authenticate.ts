import { cidrListContains } from '../model/address.ts';
import { clientAddressOf } from '../model/client-address.ts';
import type { Now } from '../model/clock.ts';
import type { NamedCredential } from '../model/credential.ts';
import type { DenialReason } from '../model/denials.ts';
import type { Digest } from '../model/ids.ts';
import type { Fact, PrincipalMemory, UnavailableCause } from '../model/memory.ts';
import type { CompiledPolicy } from '../model/policy.ts';
import { type Principal, principalOf } from '../model/principal.ts';
import type { CheckInput } from '../model/request.ts';
import type { RouteRule } from '../model/route-rule.ts';
import type { KnownCredential, Subject } from '../model/subject.ts';

export type Authentication =
  | { readonly kind: 'principal'; readonly principal: Principal }
  /** Memory cannot say. */
  | { readonly kind: 'unknown'; readonly digest: Digest }
  | {
      readonly kind: 'unavailable';
      readonly cause: UnavailableCause;
      readonly retryAfterMs: number;
    }
  /** Not a credential of anybody: counts as a failed authentication. */
  | {
      readonly kind: 'invalid';
      readonly reason: DenialReason;
      /** Whose it was: known where it has ended. */
      readonly subject: Subject | undefined;
    }
  /** Somebody's credential, but not for use here. */
  | { readonly kind: 'forbidden'; readonly reason: DenialReason; readonly principal: Principal };

interface Presented {
  readonly credential: NamedCredential;
  readonly text: string;
  readonly input: CheckInput;
  readonly rule: RouteRule;
}

interface Known {
  readonly policy: CompiledPolicy;
  readonly memory: PrincipalMemory;
  readonly now: Now;
  /** What fetching the missing fact gave, if this is not the first run. */
  readonly fact: Fact | undefined;
}

/** Credential → principal, valid at `now`. From memory and the fact at hand only. */
export function authenticate(presented: Presented, known: Known): Authentication {
  const reading = known.policy.readKey(presented.text);
  if (reading.kind === 'refused') return invalid(reading.reason);
  const found = recall(presented.credential, reading.digest, known);
  if (found === undefined) return { kind: 'unknown', digest: reading.digest };
  if (found === 'absent') return invalid('key_unknown');
  if ('cause' in found) return found;
  const ended = endedReason(found, known.now.wallMs);
  if (ended !== undefined) return invalid(ended, found.subject);
  const principal = principalOf(found.subject, known.policy);
  const reason = outOfPlace(presented, found, known.policy);
  if (reason !== undefined) return { kind: 'forbidden', reason, principal };
  return { kind: 'principal', principal };
}

function invalid(reason: DenialReason, subject?: Subject): Authentication {
  return { kind: 'invalid', reason, subject };
}

/** The fetched fact goes before memory, which may have evicted it meanwhile. */
function recall(
  credential: NamedCredential,
  digest: Digest,
  { fact, memory, now }: Known,
): KnownCredential | 'absent' | Extract<Authentication, { kind: 'unavailable' }> | undefined {
  if (fact === undefined) return memory.find(credential.kind, digest, now);
  switch (fact.kind) {
    case 'found':
      return fact.credential;
    case 'absent':
      return 'absent';
    case 'unavailable':
      return fact;
  }
}

/**
 * Expiry is held against the clock at every decision: an end that lay ahead when the row was loaded may have come since.
 * Revoked and disabled are facts, whose times are for people: they are the database's, and a clock here that runs behind it
 * must not keep a revoked key alive.
 */
function endedReason(
  { subject, secretExpiresAtMs }: KnownCredential,
  wallMs: number,
): DenialReason | undefined {
  if (subject.revokedAtMs !== null) return 'key_revoked';
  if (subject.disabledAtMs !== null) return 'key_disabled';
  if (isPast(subject.expiresAtMs, wallMs)) return 'key_expired';
  if (isPast(secretExpiresAtMs, wallMs)) return 'key_secret_expired';
  if (subject.organizationDisabledAtMs !== null) return 'organization_disabled';
  if (subject.ownerDisabledAtMs !== null) return 'owner_disabled';
  return undefined;
}

function isPast(atMs: number | null, wallMs: number): boolean {
  return atMs !== null && atMs <= wallMs;
}

function outOfPlace(
  { credential, input, rule }: Presented,
  { subject }: KnownCredential,
  policy: CompiledPolicy,
): DenialReason | undefined {
  const { environment, allowedCidrs } = subject;
  if (!rule.environments.includes(environment)) return 'environment_not_accepted';
  if (credential.environments !== null && !credential.environments.includes(environment)) {
    return 'environment_not_accepted';
  }
  if (allowedCidrs.length === 0) return undefined;
  const address = clientAddressOf(input, policy);
  // An address that cannot be told is in no block.
  if (address === undefined || !cidrListContains(allowedCidrs, address)) {
    return 'address_not_allowed';
  }
  return undefined;
}
