import type { Digest } from '../model/ids.ts';
import type { CredentialKind } from '../model/memory.ts';

export interface PrincipalCacheOptions {
  /** Of each kind. Only credentials that exist take a place, so this bounds memory; floods are bounded elsewhere. */
  readonly credentialsMax: number;
  /** The safety net under the follower: what is in use is read again this often. */
  readonly ttlMs: number;
  /** How long principals go on working while the store is away. */
  readonly staleWindowMs: number;
  /** In [0, 1). */
  readonly random: () => number;
  /** Called by a hit on an entry past its TTL; must return at once. */
  readonly onRefreshDue: (kind: CredentialKind, digest: Digest) => void;
}

export interface CacheStats {
  readonly credentials: number;
  readonly subjects: number;
  readonly absences: number;
  readonly hits: number;
  readonly absenceHits: number;
  readonly misses: number;
  /** Hits that neither a load nor the follower had confirmed for longer than the TTL. */
  readonly staleHits: number;
  /** Suspect credentials served because the store did not answer. */
  readonly suspectsServed: number;
  /** Credentials pushed out by others because the cache was full. */
  readonly evictions: number;
}
