import { LRUCache } from 'lru-cache';
import type { Digest } from '../model/ids.ts';

/**
 * A flood of random keys fills this map and nothing else. Ten thousand remember the honest mistakes (a key that was
 * deleted and is still in use somewhere) of any one moment; a digest and a number each, it stays near a megabyte.
 */
const ABSENCES_MAX = 10_000;

/** Long enough to answer a client that repeats itself, short enough to be harmless where a `created` change is missed. */
const ABSENCE_TTL_MS = 10_000;

/**
 * An absence is believed without the follower for this long: two polls and their jitter. After that the store is taken to be
 * away, and an unknown key is an outage again rather than a refusal.
 */
const ABSENCE_BLIND_MS_MAX = 3_000;

/** Shared, because the library otherwise allocates one object per call. It writes `status: undefined` into it. */
const GET_OPTIONS = {};

/** Credentials that the store is known not to have: digest → when it was asked. */
export class Absences {
  readonly #loadedAtMs = new LRUCache<Digest, number>({ max: ABSENCES_MAX });

  get size(): number {
    return this.#loadedAtMs.size;
  }

  /** `confirmedAtMs`: the follower's last confirmation. */
  has(digest: Digest, nowMonoMs: number, confirmedAtMs: number): boolean {
    const loadedAtMs = this.#loadedAtMs.get(digest, GET_OPTIONS);
    if (loadedAtMs === undefined) return false;
    return (
      nowMonoMs - loadedAtMs < ABSENCE_TTL_MS &&
      nowMonoMs - Math.max(loadedAtMs, confirmedAtMs) < ABSENCE_BLIND_MS_MAX
    );
  }

  add(digest: Digest, loadedAtMs: number): void {
    this.#loadedAtMs.set(digest, loadedAtMs);
  }

  delete(digest: Digest): void {
    this.#loadedAtMs.delete(digest);
  }

  clear(): void {
    this.#loadedAtMs.clear();
  }
}
