import { type Change, type StorePosition, StoreUnavailableError } from '../model/change.ts';
import type { Clock, Schedule } from '../model/clock.ts';
import { Announcer } from './announcer.ts';
import { withDeadline } from './deadline.ts';
import type {
  CacheObserver,
  ChangeFeed,
  ChangeHints,
  ChangeSink,
  ReplicaRegistry,
} from './ports.ts';

/** With its jitter and the time of a read, the poll alone shows a change within two seconds. */
const POLL_INTERVAL_MS = 1_000;

/** ±20 %, so that the replicas of a fleet do not ask in step. */
const POLL_JITTER = 0.2;

/** A read that hangs is given up; the next poll, or a hint that came meanwhile, starts another. */
const READ_TIMEOUT_MS = 2_000;

/** Between reads that hints ask for: a burst of changes is read in a few batches, not one by one. */
const HINT_GAP_MS = 20;

/** Changes per read; a full batch is followed by the next at once. */
const BATCH_MAX = 500;

export interface FollowerParts {
  readonly feed: ChangeFeed;
  readonly hints: ChangeHints;
  readonly registry: ReplicaRegistry;
  readonly sink: ChangeSink;
  readonly clock: Clock;
  readonly schedule: Schedule;
  /** In [0, 1). */
  readonly random: () => number;
  readonly observer: CacheObserver;
  /** The store has answered a read. Must return at once. */
  readonly onAnswer: () => void;
}

export interface FollowerState {
  /** Notifications arrive. Without them changes are seen by polling, within two seconds. */
  readonly connected: boolean;
  /** The last change that was applied; `undefined` before the first read and after a loss of history. */
  readonly position: StorePosition | undefined;
  /** All changes committed before this monotonic time have been applied. */
  readonly lastConfirmedMonoMs: number | undefined;
  /** How far the store is known to be ahead. While it does not answer nothing is known: see `lastConfirmedMonoMs`. */
  readonly lagVersions: number;
  readonly firstReadDone: boolean;
  /** What the last read met; `undefined` when it was answered. */
  readonly problem: unknown;
  /** When the registry was last told (monotonic); `undefined` before. */
  readonly lastAnnouncedMonoMs: number | undefined;
}

type Bookmark = StorePosition & { readonly nonce: string | null };

/**
 * Follows the change log by version and applies it to the cache. Notifications only say when a read is worthwhile; a poll asks
 * anyway. Each read looks at the last applied row again, so a log that is not the one followed so far is noticed, and then
 * everything starts over.
 */
export class ChangeFollower {
  readonly #parts: FollowerParts;
  readonly #announcer: Announcer;
  readonly #stopping = new AbortController();
  #bookmark: Bookmark | undefined;
  #lastConfirmedMonoMs: number | undefined;
  #connected = false;
  #problem: unknown;
  #reading: Promise<void> | undefined;
  #lastReadEndedMs = Number.NEGATIVE_INFINITY;
  #isHinted = false;
  #cancelNextRead = () => {};

  constructor(parts: FollowerParts) {
    this.#parts = parts;
    this.#announcer = new Announcer(parts);
  }

  /** Listens before it reads, so that nothing falls between the two; each time listening begins is itself a hint. */
  start(): void {
    this.#parts.hints.start({
      onHint: () => this.hint(),
      onState: (connected) => {
        this.#connected = connected;
      },
    });
    this.#startRead();
  }

  /** There may be something new. Many hints make one read. */
  hint(): void {
    if (this.#isHinted || this.#stopping.signal.aborted) return;
    this.#isHinted = true;
    if (this.#reading !== undefined) return;
    const sinceReadMs = this.#parts.clock().monoMs - this.#lastReadEndedMs;
    if (sinceReadMs >= HINT_GAP_MS) this.#startRead();
    else this.#schedule(HINT_GAP_MS - sinceReadMs);
  }

  /** Ends the read under way and leaves the registry; takes a few seconds at most, even while the store is away. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#cancelNextRead();
    await this.#parts.hints.stop();
    await this.#reading;
    await this.#announcer.stop();
  }

  state(): FollowerState {
    const bookmark = this.#bookmark;
    const newest = this.#parts.sink.newestVersion();
    return {
      connected: this.#connected,
      position: bookmark && positionOf(bookmark),
      lastConfirmedMonoMs: this.#lastConfirmedMonoMs,
      lagVersions: bookmark === undefined ? 0 : Math.max(0, newest - bookmark.version),
      firstReadDone: this.#lastConfirmedMonoMs !== undefined,
      problem: this.#problem,
      lastAnnouncedMonoMs: this.#announcer.announcedAtMs,
    };
  }

  #schedule(delayMs: number): void {
    this.#cancelNextRead();
    this.#cancelNextRead = this.#parts.schedule(() => this.#startRead(), delayMs);
  }

  #startRead(): void {
    if (this.#reading !== undefined || this.#stopping.signal.aborted) return;
    this.#cancelNextRead();
    this.#isHinted = false;
    this.#reading = this.#readAll();
  }

  async #readAll(): Promise<void> {
    try {
      while (!(await this.#readOnce()));
      this.#problem = undefined;
    } catch (error) {
      this.#problem = error;
      if (!(error instanceof StoreUnavailableError)) this.#parts.observer.fault(error);
    }
    this.#reading = undefined;
    if (this.#stopping.signal.aborted) return;
    this.#lastReadEndedMs = this.#parts.clock().monoMs;
    const jitter = 1 + POLL_JITTER * (2 * this.#parts.random() - 1);
    this.#schedule(this.#isHinted ? HINT_GAP_MS : POLL_INTERVAL_MS * jitter);
  }

  /** True once nothing is left to read. */
  async #readOnce(): Promise<boolean> {
    const { feed, sink } = this.#parts;
    const startedMonoMs = this.#parts.clock().monoMs;
    const bookmark = this.#bookmark;
    if (bookmark === undefined) {
      const { at, nonce } = await this.#ask((signal) => feed.head(signal));
      sink.adopt(at);
      this.#bookmark = { ...at, nonce };
      return this.#confirm(startedMonoMs);
    }
    const read = await this.#ask((signal) => feed.changesAfter(bookmark, BATCH_MAX, signal));
    if (read.kind === 'history_lost') {
      this.#parts.observer.historyLost();
      sink.loseHistory();
      this.#bookmark = undefined;
      return false;
    }
    for (const change of read.changes) this.#apply(change);
    return read.changes.length < BATCH_MAX && this.#confirm(startedMonoMs);
  }

  #ask<T>(call: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { schedule } = this.#parts;
    const { signal } = this.#stopping;
    return withDeadline({ schedule, timeoutMs: READ_TIMEOUT_MS, signal }, call);
  }

  #apply(change: Change): void {
    const { sink } = this.#parts;
    const { version, nonce } = change;
    const bookmark = this.#bookmark;
    if (bookmark === undefined) return;
    // Versions are consecutive; where one is missing a change was.
    if (version !== bookmark.version + 1) sink.gap(version);
    sink.apply(change);
    this.#bookmark = { epoch: bookmark.epoch, version, nonce };
  }

  /** As of the beginning of a read: what was committed while it ran may not be in it. */
  #confirm(startedMonoMs: number): true {
    this.#lastConfirmedMonoMs = startedMonoMs;
    this.#parts.sink.confirm(startedMonoMs);
    this.#parts.onAnswer();
    if (this.#bookmark !== undefined) this.#announcer.announce(positionOf(this.#bookmark));
    return true;
  }
}

function positionOf({ epoch, version }: Bookmark): StorePosition {
  return { epoch, version };
}
