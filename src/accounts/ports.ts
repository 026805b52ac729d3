import type { StorePosition } from '../model/change.ts';
import type { KeyId, OrganizationId, UserId } from '../model/ids.ts';
import type { StoredDigest } from '../model/stored-digest.ts';
import type { Role } from '../model/subject.ts';

/**
 * The stores behind the cold verbs. Expected outcomes are values; every call rejects with StoreUnavailableError when
 * the store is away. Times are milliseconds since the Unix epoch, and `created`, `disabled`, `revoked` are stamped by
 * the store's own clock. Every write and its audit row commit together, or neither does.
 */

/** Who writes, for the audit log (`cli:alice`, `user:u_1`, `key:k_1`), and for how long it waits. */
export interface WriteContext {
  readonly actor: string;
  readonly signal: AbortSignal;
}

/**
 * Where a write stands in the change log: a replica that has confirmed `at` acts upon it. For a write that found
 * nothing to change it is the newest position, so that waiting for it is right as well.
 */
export interface Written {
  readonly at: StorePosition;
}

/** Text that the store cannot hold faithfully (NUL, half a surrogate pair), or that breaks a rule of its column. */
export interface UnstorableText {
  readonly kind: 'unstorable_text';
  readonly field: string;
  readonly problem: string;
}

export interface PageRequest {
  /** The last id of the page before; absent for the first page. Pages are in order of id. */
  readonly afterId?: string | undefined;
  readonly limit: number;
}

export interface Page<T> {
  readonly items: readonly T[];
  /** `null`: this was the last page. */
  readonly nextAfterId: string | null;
}

export interface OrganizationRecord {
  readonly id: OrganizationId;
  readonly name: string;
  readonly plan: string | null;
  readonly createdAtMs: number;
  readonly disabledAtMs: number | null;
}

export interface NewOrganization {
  readonly id: OrganizationId;
  readonly name: string;
  readonly plan: string | null;
}

/** `changed: false`: it was so already. */
export type SwitchResult<Kind extends string, T> =
  | ({ readonly kind: Kind; readonly changed: boolean; readonly record: T } & Written)
  | { readonly kind: 'absent' };

export interface OrganizationStore {
  create(
    organization: NewOrganization,
    context: WriteContext,
  ): Promise<
    | ({ readonly kind: 'created'; readonly record: OrganizationRecord } & Written)
    | { readonly kind: 'id_taken' }
    | { readonly kind: 'name_taken' }
    | UnstorableText
  >;
  list(page: PageRequest, signal: AbortSignal): Promise<Page<OrganizationRecord>>;
  /** By id or by exact name; an id wins over another organization's equal name. */
  find(idOrName: string, signal: AbortSignal): Promise<OrganizationRecord | undefined>;
  /** A disabled organization's keys are refused until it is enabled again. */
  setDisabled(
    id: OrganizationId,
    disabled: boolean,
    context: WriteContext,
  ): Promise<SwitchResult<'switched', OrganizationRecord>>;
}

export interface UserRecord {
  readonly id: UserId;
  readonly organizationId: OrganizationId;
  readonly name: string;
  readonly email: string | null;
  readonly role: Role;
  readonly createdAtMs: number;
  readonly disabledAtMs: number | null;
}

export interface NewUser {
  readonly id: UserId;
  readonly organizationId: OrganizationId;
  readonly name: string;
  /** Unique over all organizations, whatever its case. */
  readonly email: string | null;
  readonly role: Role;
}

export interface UserStore {
  create(
    user: NewUser,
    context: WriteContext,
  ): Promise<
    | ({ readonly kind: 'created'; readonly record: UserRecord } & Written)
    | { readonly kind: 'id_taken' }
    | { readonly kind: 'email_taken' }
    | { readonly kind: 'organization_absent' }
    | UnstorableText
  >;
  list(
    filter: { readonly organizationId?: OrganizationId | undefined },
    page: PageRequest,
    signal: AbortSignal,
  ): Promise<Page<UserRecord>>;
  /** By id or by e-mail address. */
  find(idOrEmail: string, signal: AbortSignal): Promise<UserRecord | undefined>;
  setDisabled(
    id: UserId,
    disabled: boolean,
    context: WriteContext,
  ): Promise<SwitchResult<'switched', UserRecord>>;
}

export type JsonValue = string | number | boolean | null | readonly JsonValue[] | JsonObject;
export interface JsonObject {
  readonly [name: string]: JsonValue;
}

/** What a person may see of a secret: how it begins, never more. */
export interface SecretRecord {
  readonly start: string;
  readonly pepperVersion: number;
  readonly createdAtMs: number;
  readonly expiresAtMs: number | null;
}

export interface KeyRecord {
  readonly id: KeyId;
  readonly name: string;
  readonly organizationId: OrganizationId;
  readonly ownerId: UserId | null;
  readonly environment: string;
  readonly scopes: readonly string[];
  readonly plan: string | null;
  /** As they were given; empty: no restriction. */
  readonly allowedCidrs: readonly string[];
  readonly metadata: JsonObject;
  readonly createdAtMs: number;
  readonly expiresAtMs: number | null;
  readonly disabledAtMs: number | null;
  readonly revokedAtMs: number | null;
  readonly lastUsedAtMs: number | null;
  readonly lastUsedAddress: string | null;
  /** Oldest first; those that have expired are included. */
  readonly secrets: readonly SecretRecord[];
}

export interface NewSecret {
  readonly digest: StoredDigest;
  /** How the text begins, for lists: prefix, environment and id, never a character of the secret. */
  readonly start: string;
}

export interface NewKey {
  readonly id: KeyId;
  readonly name: string;
  readonly organizationId: OrganizationId;
  /** Must belong to the same organization. */
  readonly ownerId: UserId | null;
  readonly environment: string;
  readonly scopes: readonly string[];
  readonly plan: string | null;
  /** Already parsed by the caller (model/address.ts); the store refuses what it cannot read back. */
  readonly allowedCidrs: readonly string[];
  readonly metadata: JsonObject;
  readonly expiresAtMs: number | null;
  readonly secret: NewSecret;
}

/** Why one new key cannot be. */
export type NewKeyProblem =
  | { readonly kind: 'id_taken' }
  | { readonly kind: 'digest_taken' }
  | { readonly kind: 'organization_absent' }
  /** No such user, or one of another organization. */
  | { readonly kind: 'owner_absent' }
  | { readonly kind: 'invalid_cidr'; readonly cidr: string }
  | UnstorableText;

export interface KeyFilter {
  readonly organizationId?: OrganizationId | undefined;
  readonly ownerId?: UserId | undefined;
}

/** What happens to the secret that a rotation replaces. */
export type OldSecretEnd =
  | { readonly kind: 'at_once' }
  | { readonly kind: 'at'; readonly ms: number };

export interface KeyAdminStore {
  create(
    key: NewKey,
    context: WriteContext,
  ): Promise<({ readonly kind: 'created'; readonly record: KeyRecord } & Written) | NewKeyProblem>;
  /** All or none. `problems` names the rows by index; at most KEY_IMPORT_MAX keys a call. */
  importKeys(
    keys: readonly NewKey[],
    context: WriteContext,
  ): Promise<
    | ({ readonly kind: 'imported'; readonly count: number } & Written)
    | {
        readonly kind: 'rejected';
        readonly problems: readonly { readonly index: number; readonly problem: NewKeyProblem }[];
      }
    | { readonly kind: 'too_many'; readonly max: number }
  >;
  list(filter: KeyFilter, page: PageRequest, signal: AbortSignal): Promise<Page<KeyRecord>>;
  find(id: KeyId, signal: AbortSignal): Promise<KeyRecord | undefined>;
  /**
   * A new secret under the same id. `two_live_secrets`: the key is rotating already; wait for the old secret's end or
   * end it at once.
   */
  rotate(
    request: { readonly id: KeyId; readonly secret: NewSecret; readonly oldSecret: OldSecretEnd },
    context: WriteContext,
  ): Promise<
    | ({ readonly kind: 'rotated'; readonly record: KeyRecord } & Written)
    | { readonly kind: 'absent' }
    | { readonly kind: 'revoked' }
    | { readonly kind: 'digest_taken' }
    | { readonly kind: 'two_live_secrets'; readonly oldExpiresAtMs: number }
    | UnstorableText
  >;
  /** For good: nothing un-revokes a key. */
  revoke(id: KeyId, context: WriteContext): Promise<SwitchResult<'revoked', KeyRecord>>;
  setDisabled(
    id: KeyId,
    disabled: boolean,
    context: WriteContext,
  ): Promise<SwitchResult<'switched', KeyRecord>>;
}

export interface ReplicaRecord {
  readonly id: string;
  readonly name: string;
  readonly at: StorePosition;
  /** Since its last heartbeat, by the store's clock. */
  readonly ageMs: number;
}

/** Who follows the change log; `keys revoke --wait` watches it. */
export interface ReplicaDirectory {
  /** At most REPLICAS_LISTED_MAX, the most recently heard first. */
  list(signal: AbortSignal): Promise<readonly ReplicaRecord[]>;
}
