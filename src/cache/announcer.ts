import { type StorePosition, StoreUnavailableError } from '../model/change.ts';
import type { Clock } from '../model/clock.ts';
import { withDeadline } from './deadline.ts';
import type { CacheObserver, ReplicaRegistry, Timers } from './ports.ts';

/** Without changes the entry among the peers is renewed this often: well within the window after which it counts as dead. */
const HEARTBEAT_MS = 3_000;

/** Also bounds what stopping may cost while the store is away. */
const REGISTRY_TIMEOUT_MS = 2_000;

export interface AnnouncerParts {
  readonly registry: ReplicaRegistry;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly observer: CacheObserver;
}

/** Tells the registry what this replica has applied: at once after a change, now and then otherwise; never two at a time. */
export class Announcer {
  readonly #parts: AnnouncerParts;
  #applied: StorePosition | undefined;
  #announced: StorePosition | undefined;
  #announcedAtMs: number | undefined;
  #announcing: Promise<void> | undefined;
  /** Even an announcement that failed may have arrived. */
  #mayBeListed = false;

  constructor(parts: AnnouncerParts) {
    this.#parts = parts;
  }

  /** Everything up to `position` has been applied. Returns at once. */
  announce(position: StorePosition): void {
    this.#applied = position;
    if (this.#announcing === undefined && this.#isDue(position)) this.#announcing = this.#run();
  }

  /** Leaves the registry. Waits for an announcement under way: arriving after the departure it would undo it. */
  async stop(): Promise<void> {
    this.#applied = undefined;
    await this.#announcing;
    if (this.#mayBeListed) await this.#attempt((signal) => this.#parts.registry.deregister(signal));
  }

  #isDue({ epoch, version }: StorePosition): boolean {
    if (this.#announced?.epoch !== epoch || this.#announced.version !== version) return true;
    const lastMs = this.#announcedAtMs ?? Number.NEGATIVE_INFINITY;
    return this.#parts.clock().monoMs - lastMs >= HEARTBEAT_MS;
  }

  async #run(): Promise<void> {
    this.#mayBeListed = true;
    let position = this.#applied;
    while (position !== undefined && this.#isDue(position)) {
      const at = position;
      const startedMonoMs = this.#parts.clock().monoMs;
      // After a failure the next poll tries again, not this loop.
      if (!(await this.#attempt((signal) => this.#parts.registry.confirm(at, signal)))) break;
      this.#announced = at;
      this.#announcedAtMs = startedMonoMs;
      position = this.#applied;
    }
    this.#announcing = undefined;
  }

  async #attempt(call: (signal: AbortSignal) => Promise<void>): Promise<boolean> {
    try {
      const { timers } = this.#parts;
      await withDeadline({ timers, timeoutMs: REGISTRY_TIMEOUT_MS }, call);
      return true;
    } catch (error) {
      if (!(error instanceof StoreUnavailableError)) this.#parts.observer.fault(error);
      return false;
    }
  }
}
