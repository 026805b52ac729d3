import type { Change, LoadedCredential, StorePosition } from '../model/change.ts';
import type { Digest, KeyId } from '../model/ids.ts';
import type { CredentialKind } from '../model/memory.ts';

/**
 * Finds a principal in the store. Rejects with StoreUnavailableError when the store cannot say, and soon after `signal`
 * is aborted: until then the call holds a connection that others wait for.
 */
export interface CredentialSource {
  load(kind: CredentialKind, digest: Digest, signal: AbortSignal): Promise<LoadedCredential>;
}

/** The change log as a replica follows it. Every call rejects with StoreUnavailableError when the store is away. */
export interface ChangeFeed {
  /** The newest position, and the nonce of its row (`null` when nothing has ever changed). */
  head(signal: AbortSignal): Promise<{ readonly at: StorePosition; readonly nonce: string | null }>;
  /**
   * At most `limit` changes after `after`, oldest first, read with the row at `after` itself in one snapshot.
   * `history_lost`: another epoch, or the row at `after` is gone or has another nonce: nothing is known, start over.
   */
  changesAfter(
    after: StorePosition & { readonly nonce: string | null },
    limit: number,
    signal: AbortSignal,
  ): Promise<
    | { readonly kind: 'changes'; readonly changes: readonly Change[] }
    | { readonly kind: 'history_lost' }
  >;
}

/** Notifications are hints that a poll is worthwhile; nothing depends on one having arrived. */
export interface ChangeHints {
  /**
   * Starts to listen and keeps at it: reconnects with capped back-off and jitter, detects half-open connections.
   * `onHint` is called for each notification and each time listening has been (re)established.
   */
  start(handlers: { onHint(): void; onState(connected: boolean): void }): void;
  stop(): Promise<void>;
}

/**
 * This replica's entry among its peers: who has seen which version. One call at a time, and none after `deregister`: what
 * keeps to that is the announcer.
 */
export interface ReplicaRegistry {
  /** Upserts name, position and time. Called after changes were applied, never before. */
  confirm(at: StorePosition, signal: AbortSignal): Promise<void>;
  deregister(signal: AbortSignal): Promise<void>;
}

/** When a key was last used, and from where. */
export interface KeyUse {
  readonly keyId: KeyId;
  /** Milliseconds since the Unix epoch. */
  readonly atMs: number;
  /** The client address as text; `null` where it could not be told. */
  readonly address: string | null;
}

export interface UsageStore {
  /** Forward-only: an older time never replaces a newer one. Keys that are gone are passed over. One entry per key. */
  recordUsage(entries: readonly KeyUse[], signal: AbortSignal): Promise<void>;
}

/**
 * What the follower tells the cache. `adopt` and `apply` name positions of one history; between `loseHistory` and the next
 * `adopt` there is none.
 */
export interface ChangeSink {
  /** Changes are followed from here on. Whatever was loaded before is suspect. */
  adopt(at: StorePosition): void;
  apply(change: Change): void;
  /** Changes up to `version` were missed. */
  gap(version: number): void;
  loseHistory(): void;
  /** Every change that was committed before `monoMs` has been applied. */
  confirm(monoMs: number): void;
  /** The newest version that a load has shown: how far the store is ahead of the follower at least. */
  newestVersion(): number;
}

/** How a load ended. `fenced`: it came too late to be used, and was started again. */
export type LoadOutcome = 'found' | 'absent' | 'fenced' | 'unavailable';

/** What the cache tells of its work; counters and gauges beyond this are read from the `stats` of each part. */
export interface CacheObserver {
  loadEnded(outcome: LoadOutcome, durationMs: number): void;
  /** The change log is another one than was followed so far: all that is in memory is loaded again before use. */
  historyLost(): void;
  /** An error that is no outage: a bug, or a store that refuses us. The request in question gets an outage's answer. */
  fault(error: unknown): void;
}
