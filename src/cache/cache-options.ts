import type { Digest } from '../model/ids.ts';
import type { CredentialKind } from '../model/memory.ts';

/** About 60 MB when full. Only credentials that exist take a place, so this bounds memory; floods are bounded elsewhere. */
export const CREDENTIALS_MAX_DEFAULT = 100_000;

/** The safety net under the follower: what is in use is read again this often. */
export const TTL_MS_DEFAULT = 60_000;

/** How long principals go on working while the store is away. */
export const STALE_WINDOW_MS_DEFAULT = 600_000;

export interface PrincipalCacheOptions {
  /** Of each kind. */
  readonly credentialsMax?: number;
  readonly ttlMs?: number;
  readonly staleWindowMs?: number;
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
