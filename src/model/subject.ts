import type { CidrList } from './address.ts';
import type { Digest, KeyId, OrganizationId, SubjectId, UserId } from './ids.ts';
import type { Principal } from './principal.ts';

export type Role = 'member' | 'org_admin' | 'super_admin';

/**
 * Who a credential acts as, as read from the store. Times are milliseconds since the Unix epoch. Expiry is held
 * against `now` at decision time, never at load time; revoked or disabled at any time is so now. Scopes are as granted: what they imply and what the owner's role bounds
 * is the policy's matter (see principal.ts).
 */
export interface Subject {
  readonly id: SubjectId;
  readonly keyId: KeyId;
  readonly name: string;
  readonly environment: string;
  readonly scopes: readonly string[];
  /** The key's own plan; `null` leaves it to the organization, then to the policy's plan `default`. */
  readonly plan: string | null;
  readonly organizationId: OrganizationId;
  readonly organizationName: string;
  readonly organizationPlan: string | null;
  readonly organizationDisabledAtMs: number | null;
  readonly ownerId: UserId | null;
  readonly ownerRole: Role | null;
  readonly ownerDisabledAtMs: number | null;
  /** Empty: no restriction. */
  readonly allowedCidrs: CidrList;
  readonly expiresAtMs: number | null;
  readonly disabledAtMs: number | null;
  readonly revokedAtMs: number | null;
  /** What the policy makes of this subject; built on first use, rebuilt when the policy's generation differs. */
  principal: Principal | undefined;
}

/** One secret of a subject: a key that rotates has two, and the old one ends at its own time. */
export interface KnownCredential {
  readonly digest: Digest;
  readonly secretExpiresAtMs: number | null;
  readonly subject: Subject;
}
