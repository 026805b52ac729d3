import type { LoadedCredential, StorePosition } from '../model/change.ts';
import type { SubjectId } from '../model/ids.ts';

/**
 * Fences that are kept by name. A fence matters only to loads that were under way when its change was applied, so a few
 * seconds' worth of changes would do; beyond that number the oldest fence widens to all subjects.
 */
const TOMBSTONES_MAX = 10_000;

/** Loaded while no history is followed: nothing can be said of its later changes. */
export const NO_HISTORY = 0;

/** Where something that was loaded stands in the change log. */
export interface Place {
  readonly history: number;
  readonly version: number;
}

/** Something that was loaded, and the monotonic time at which its load began. */
export interface Loaded extends Place {
  readonly loadedAtMs: number;
}

/** `behind`: read before a change that has been applied since. `foreign`: read from another history than the followed. */
export type LoadStanding = 'usable' | 'behind' | 'foreign';

/**
 * What the applied changes say of what was loaded: which loads come too late, what has become suspect, and up to when a thing
 * was known to hold.
 *
 * A history is a run of consecutive versions of one epoch that is followed without a loss. Versions are compared within one
 * history only.
 */
export class ChangeHorizon {
  #history = NO_HISTORY;
  #historiesSeen = 0;
  #epoch: string | undefined;
  /** What was read before this version is suspect. */
  #suspectBelow = 0;
  /** All changes committed before this monotonic time have been applied. */
  #confirmedAtMs = Number.NEGATIVE_INFINITY;
  /** What held before everything became suspect the last time. */
  #before = { history: NO_HISTORY, suspectBelow: 0, confirmedAtMs: Number.NEGATIVE_INFINITY };
  /** A load of any subject must have been read at this version or later. */
  #floor = 0;
  /** The same for a load that found nothing. */
  #lastCreated = 0;
  /** The same for a load of one subject. In order of application. */
  readonly #tombstones = new Map<SubjectId, number>();
  #newestVersion = 0;

  get history(): number {
    return this.#history;
  }

  get confirmedAtMs(): number {
    return this.#confirmedAtMs;
  }

  get newestVersion(): number {
    return this.#newestVersion;
  }

  adopt(at: StorePosition): void {
    this.loseHistory();
    this.#historiesSeen += 1;
    this.#history = this.#historiesSeen;
    this.#epoch = at.epoch;
    this.#newestVersion = at.version;
    this.#lastCreated = 0;
    this.#suspectBelow = 0;
    this.#floor = at.version;
  }

  loseHistory(): void {
    if (this.#history === NO_HISTORY) return;
    this.#rememberBefore();
    this.#history = NO_HISTORY;
    this.#epoch = undefined;
    this.#tombstones.clear();
  }

  /** Everything that was read before `version` may have changed. */
  suspectAll(version: number): void {
    this.#rememberBefore();
    this.#suspectBelow = Math.max(this.#suspectBelow, version);
    this.#floor = Math.max(this.#floor, version);
    this.#newestVersion = Math.max(this.#newestVersion, version);
  }

  fenceSubject(subject: SubjectId, version: number): void {
    this.#newestVersion = Math.max(this.#newestVersion, version);
    this.#tombstones.delete(subject);
    this.#tombstones.set(subject, version);
    if (this.#tombstones.size <= TOMBSTONES_MAX) return;
    for (const [oldest, oldestVersion] of this.#tombstones) {
      this.#tombstones.delete(oldest);
      this.#floor = Math.max(this.#floor, oldestVersion);
      return;
    }
  }

  fenceAbsences(version: number): void {
    this.#lastCreated = Math.max(this.#lastCreated, version);
  }

  confirm(monoMs: number): void {
    this.#confirmedAtMs = Math.max(this.#confirmedAtMs, monoMs);
  }

  isSuspect({ history, version }: Place): boolean {
    return (
      history !== this.#history || version < this.#suspectBelow || this.#history === NO_HISTORY
    );
  }

  /** When it was last known to hold. For what is suspect: before it became so. */
  heldAtMs(loaded: Loaded): number {
    if (!this.isSuspect(loaded)) return Math.max(loaded.loadedAtMs, this.#confirmedAtMs);
    const { history, suspectBelow, confirmedAtMs } = this.#before;
    const wasConfirmed = loaded.history === history && loaded.version >= suspectBelow;
    // Suspect for longer than that: what confirmed it in between is not remembered.
    return wasConfirmed ? Math.max(loaded.loadedAtMs, confirmedAtMs) : loaded.loadedAtMs;
  }

  /** `startedIn`: the history that was followed when the load began. */
  standing(loaded: LoadedCredential, startedIn: number): LoadStanding {
    if (startedIn !== this.#history) return 'behind';
    if (this.#history === NO_HISTORY) return 'usable';
    if (loaded.at.epoch !== this.#epoch) return 'foreign';
    this.#newestVersion = Math.max(this.#newestVersion, loaded.at.version);
    return loaded.at.version < this.#fenceOf(loaded) ? 'behind' : 'usable';
  }

  #fenceOf(loaded: LoadedCredential): number {
    const own =
      loaded.kind === 'found' ? (this.#tombstones.get(loaded.subject.id) ?? 0) : this.#lastCreated;
    return Math.max(this.#floor, own);
  }

  #rememberBefore(): void {
    this.#before = {
      history: this.#history,
      suspectBelow: this.#suspectBelow,
      confirmedAtMs: this.#confirmedAtMs,
    };
  }
}
