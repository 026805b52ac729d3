import { LRUCache } from 'lru-cache';
import { fullBucket, type TokenBucket, type TokenRate, takeToken } from './token-bucket.ts';

/** Addresses remembered. One that falls out starts with a full bucket: a wide flood is the queue bound's matter. */
const CLIENTS_MAX = 10_000;

/** After too many failed authentications: a guesser gets nowhere, and a key beside him is known within seconds. */
export const MISSES_AFTER_FAILURES: TokenRate = { perSecond: 1, burst: 5 };

/** Misses of each client address, so that one that floods does not use up the lookups of all. */
export class ClientBudget {
  readonly #buckets = new LRUCache<string, TokenBucket>({ max: CLIENTS_MAX });
  readonly #rate: TokenRate;

  constructor(rate: TokenRate) {
    this.#rate = rate;
  }

  /** 0: granted. Otherwise the milliseconds after which to try again. */
  take(client: string, monoMs: number): number {
    let bucket = this.#buckets.get(client);
    if (bucket === undefined) {
      bucket = fullBucket(this.#rate, monoMs);
      this.#buckets.set(client, bucket);
    }
    return takeToken(bucket, this.#rate, monoMs);
  }
}
