import { type StorePosition, StoreUnavailableError } from '../model/change.ts';
import type { Clock, Schedule } from '../model/clock.ts';
import { withDeadline } from './deadline.ts';
import type { CacheObserver, ReplicaRegistry } from './ports.ts';

/** Without changes the entry among the peers is renewed this often: well within the window after which it counts as dead. */
const HEARTBEAT_MS = 3_000;

/**
 * Between two announcements, while changes keep coming: a hundred replicas then write 500 rows a second at most. The first
 * change after a pause is announced at once, so whoever waits for a single revocation does not wait for this.
 */
const GAP_MS = 200;

/** Also bounds what stopping may cost while the store is away. */
const REGISTRY_TIMEOUT_MS = 2_000;

export interface AnnouncerParts {
  readonly registry: ReplicaRegistry;
  readonly clock: Clock;
  readonly schedule: Schedule;
  readonly observer: CacheObserver;
}

/**
 * Tells the registry what this replica has applied: soon after a change, now and then otherwise. Never two calls at a time,
 * and none after the departure: arriving late, it would undo it.
 */
export class Announcer {
  readonly #parts: AnnouncerParts;
  #applied: StorePosition | undefined;
  #announced: StorePosition | undefined;
  #announcedAtMs = Number.NEGATIVE_INFINITY;
  /** Of a change, not of a heartbeat: the next change may come right after one. */
  #changeToldAtMs = Number.NEGATIVE_INFINITY;
  #announcing: Promise<void> | undefined;
  #cancelNext: (() => void) | undefined;
  /** Even an announcement that failed may have arrived. */
  #mayBeListed = false;

  constructor(parts: AnnouncerParts) {
    this.#parts = parts;
  }

  /** When the last announcement that arrived was begun (monotonic); `undefined` before there was one. */
  get announcedAtMs(): number | undefined {
    return Number.isFinite(this.#announcedAtMs) ? this.#announcedAtMs : undefined;
  }

  /** Everything up to `position` has been applied. Returns at once. */
  announce(position: StorePosition): void {
    this.#applied = position;
    this.#announceWhenDue();
  }

  /** Leaves the registry. Waits for an announcement under way. */
  async stop(): Promise<void> {
    this.#applied = undefined;
    this.#cancelNext?.();
    await this.#announcing;
    if (this.#mayBeListed) await this.#attempt((signal) => this.#parts.registry.deregister(signal));
  }

  #announceWhenDue(): void {
    const position = this.#applied;
    if (this.#announcing !== undefined || this.#cancelNext !== undefined) return;
    if (position === undefined) return;
    const waitMs = this.#dueAtMs(position) - this.#parts.clock().monoMs;
    if (waitMs <= 0) {
      this.#announcing = this.#tell(position);
      return;
    }
    // What is known already comes up again with each read of the follower: no timer is needed for it.
    if (!this.#isNews(position)) return;
    this.#cancelNext = this.#parts.schedule(() => {
      this.#cancelNext = undefined;
      this.#announceWhenDue();
    }, waitMs);
  }

  #dueAtMs(position: StorePosition): number {
    return this.#isNews(position)
      ? this.#changeToldAtMs + GAP_MS
      : this.#announcedAtMs + HEARTBEAT_MS;
  }

  #isNews({ epoch, version }: StorePosition): boolean {
    return this.#announced?.epoch !== epoch || this.#announced.version !== version;
  }

  async #tell(position: StorePosition): Promise<void> {
    this.#mayBeListed = true;
    const startedMonoMs = this.#parts.clock().monoMs;
    if (this.#isNews(position)) this.#changeToldAtMs = startedMonoMs;
    const arrived = await this.#attempt((signal) => this.#parts.registry.confirm(position, signal));
    this.#announcing = undefined;
    // After a failure the follower's next read tries again.
    if (!arrived) return;
    this.#announced = position;
    this.#announcedAtMs = startedMonoMs;
    this.#announceWhenDue();
  }

  async #attempt(call: (signal: AbortSignal) => Promise<void>): Promise<boolean> {
    try {
      const { schedule } = this.#parts;
      await withDeadline({ schedule, timeoutMs: REGISTRY_TIMEOUT_MS }, call);
      return true;
    } catch (error) {
      if (!(error instanceof StoreUnavailableError)) this.#parts.observer.fault(error);
      return false;
    }
  }
}
