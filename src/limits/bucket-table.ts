import type { BucketState } from './meter.ts';

/** Slots looked at for every new bucket, so that refilled ones leave at least as fast as new ones come. */
const SWEEP_SLOTS = 4;

/** Slots looked at when the table is full; a microsecond or two, so that a flood of new buckets costs no more than that each. */
const EVICTION_SCAN_SLOTS = 1024;

/**
 * A JavaScript Map rehashes all its entries at once when it grows: 80 ms at a million. Many small ones keep the pause
 * below a millisecond. A power of two.
 */
const SHARDS = 64;

/** Characters that choose the shard: the end of a bucket's name, where the names differ. */
const SHARD_CHARS = 24;

export interface BucketTableStats {
  readonly size: number;
  readonly sizeMax: number;
  /** Forgotten once full again: nobody noticed. */
  readonly evictedFull: number;
  /** Forgotten before they were full, for lack of room: each got its missing units back too early. */
  readonly evictedEarly: number;
}

/**
 * The state of many buckets in bounded memory. Forgetting a bucket is the same as refilling it, so full ones go first
 * and cost nothing. When none of those looked at is full, the one that would be full soonest makes room: what it gets back
 * too early is the little that it had not yet got back anyway, and a client that has drawn much stays counted.
 * A request is never refused for lack of room.
 */
export class BucketTable {
  readonly #sizeMax: number;
  readonly #shards: readonly Map<string, number>[];
  /** By slot; `undefined` where the slot is free. */
  readonly #buckets: (string | undefined)[] = [];
  /** Two numbers per slot, side by side so that they share a cache line: when it is full again, and the detail. */
  readonly #states: Float64Array;
  readonly #freeSlots: number[] = [];
  #hand = 0;
  #evictedFull = 0;
  #evictedEarly = 0;

  constructor(sizeMax: number) {
    if (!Number.isSafeInteger(sizeMax) || sizeMax < 1) {
      throw new RangeError(`a bucket table needs room for at least one bucket, not ${sizeMax}`);
    }
    this.#sizeMax = sizeMax;
    this.#shards = Array.from({ length: SHARDS }, () => new Map<string, number>());
    // Pages that were never written take no memory, so the whole size costs nothing until it is used.
    this.#states = new Float64Array(2 * sizeMax);
  }

  read(bucket: string): BucketState | undefined {
    const slot = this.#shardOf(bucket).get(bucket);
    if (slot === undefined) return undefined;
    return { fullAtUs: this.#fullAtUs(slot), detail: this.#states[2 * slot + 1] ?? 0 };
  }

  write(bucket: string, state: BucketState, nowUs: number): void {
    const shard = this.#shardOf(bucket);
    let slot = shard.get(bucket);
    if (slot === undefined) {
      slot = this.#claimSlot(nowUs);
      this.#buckets[slot] = bucket;
      shard.set(bucket, slot);
    }
    this.#states[2 * slot] = state.fullAtUs;
    this.#states[2 * slot + 1] = state.detail;
  }

  stats(): BucketTableStats {
    return {
      size: this.#buckets.length - this.#freeSlots.length,
      sizeMax: this.#sizeMax,
      evictedFull: this.#evictedFull,
      evictedEarly: this.#evictedEarly,
    };
  }

  #claimSlot(nowUs: number): number {
    this.#sweep(nowUs);
    if (this.#freeSlots.length === 0 && this.#buckets.length === this.#sizeMax) this.#evict(nowUs);
    return this.#freeSlots.pop() ?? this.#buckets.push(undefined) - 1;
  }

  #sweep(nowUs: number): void {
    for (let step = 0; step < SWEEP_SLOTS && this.#buckets.length > 0; step += 1) {
      const slot = this.#nextSlot();
      if (this.#buckets[slot] !== undefined && this.#isFull(slot, nowUs)) this.#free(slot, nowUs);
    }
  }

  /** Only when every slot is taken. */
  #evict(nowUs: number): void {
    let soonest = this.#nextSlot();
    const scanned = Math.min(EVICTION_SCAN_SLOTS, this.#sizeMax);
    for (let step = 1; step < scanned && !this.#isFull(soonest, nowUs); step += 1) {
      const slot = this.#nextSlot();
      if (this.#fullAtUs(slot) < this.#fullAtUs(soonest)) soonest = slot;
    }
    this.#free(soonest, nowUs);
  }

  #free(slot: number, nowUs: number): void {
    const bucket = this.#buckets[slot];
    if (bucket === undefined) return;
    this.#shardOf(bucket).delete(bucket);
    this.#buckets[slot] = undefined;
    this.#freeSlots.push(slot);
    if (this.#isFull(slot, nowUs)) this.#evictedFull += 1;
    else this.#evictedEarly += 1;
  }

  #isFull(slot: number, nowUs: number): boolean {
    return this.#fullAtUs(slot) <= nowUs;
  }

  #fullAtUs(slot: number): number {
    return this.#states[2 * slot] ?? 0;
  }

  #nextSlot(): number {
    this.#hand = this.#hand + 1 < this.#buckets.length ? this.#hand + 1 : 0;
    return this.#hand;
  }

  #shardOf(bucket: string): Map<string, number> {
    let hash = 0;
    for (let at = Math.max(0, bucket.length - SHARD_CHARS); at < bucket.length; at += 1) {
      hash = (Math.imul(hash, 31) + bucket.charCodeAt(at)) | 0;
    }
    const shard = this.#shards[(hash ^ (hash >>> 15)) & (SHARDS - 1)];
    if (shard === undefined) throw new RangeError('SHARDS is not a power of two');
    return shard;
  }
}
