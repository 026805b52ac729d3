import { StoreUnavailableError } from '../model/change.ts';
import type { Schedule } from '../model/clock.ts';
import type { KeyId } from '../model/ids.ts';
import { withDeadline } from './deadline.ts';
import type { CacheObserver, KeyUse, UsageStore } from './ports.ts';

/** How far "last used" may lag. Each key in use costs one row update per interval and replica. */
const FLUSH_INTERVAL_MS = 30_000;

/** ±20 %, so that the replicas of a fleet do not write in step. */
const FLUSH_JITTER = 0.2;

/** Keys remembered between two flushes, some 10 MB; beyond it a use is not recorded until the next flush. */
const KEYS_MAX = 100_000;

/** Rows per statement: short enough not to hold up a lookup on the same connection. */
const BATCH_MAX = 500;

/** Of one statement. Also bounds what stopping may cost while the store is away. */
const WRITE_TIMEOUT_MS = 2_000;

export interface UsageRecorderParts {
  readonly store: UsageStore;
  readonly schedule: Schedule;
  /** In [0, 1). */
  readonly random: () => number;
  readonly observer: Pick<CacheObserver, 'fault'>;
}

interface Use {
  atMs: number;
  address: string | null;
}

/** Collects when and from where each key was last used, and writes it now and then: never a write per request. */
export class UsageRecorder {
  readonly #parts: UsageRecorderParts;
  #uses = new Map<KeyId, Use>();
  #cancelNextFlush = () => {};
  #flushing: Promise<void> | undefined;
  #isStopped = false;

  constructor(parts: UsageRecorderParts) {
    this.#parts = parts;
  }

  /** Keys with a use that is not written yet. */
  get pending(): number {
    return this.#uses.size;
  }

  start(): void {
    const jitter = 1 + FLUSH_JITTER * (2 * this.#parts.random() - 1);
    const flush = async (): Promise<void> => {
      await this.flush();
      if (!this.#isStopped) this.start();
    };
    this.#cancelNextFlush = this.#parts.schedule(() => void flush(), FLUSH_INTERVAL_MS * jitter);
  }

  /** On the way of every request: one look into a map. */
  record(keyId: KeyId, atMs: number, address: string | null): void {
    const known = this.#uses.get(keyId);
    if (known !== undefined) {
      if (atMs < known.atMs) return;
      known.atMs = atMs;
      // An equal text in its place would keep one string of every request alive until the next flush.
      if (known.address !== address) known.address = address;
    } else if (this.#uses.size < KEYS_MAX) {
      this.#uses.set(keyId, { atMs, address });
    }
  }

  /** Writes what there is. What an outage keeps from being written waits for the next time. Never rejects. */
  flush(): Promise<void> {
    this.#flushing ??= this.#write().finally(() => {
      this.#flushing = undefined;
    });
    return this.#flushing;
  }

  /** Ends with one more flush. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancelNextFlush();
    await this.#flushing;
    await this.flush();
  }

  async #write(): Promise<void> {
    const entries: KeyUse[] = [];
    for (const [keyId, { atMs, address }] of this.#uses) entries.push({ keyId, atMs, address });
    this.#uses = new Map();
    const { store, schedule, observer } = this.#parts;
    for (let from = 0; from < entries.length; from += BATCH_MAX) {
      const batch = entries.slice(from, from + BATCH_MAX);
      try {
        await withDeadline({ schedule, timeoutMs: WRITE_TIMEOUT_MS }, (signal) =>
          store.recordUsage(batch, signal),
        );
      } catch (error) {
        if (error instanceof StoreUnavailableError) {
          for (const { keyId, atMs, address } of entries.slice(from)) {
            this.record(keyId, atMs, address);
          }
          return;
        }
        // What the store refuses it would refuse again, and so hold up all that comes after it.
        observer.fault(error);
      }
    }
  }
}
