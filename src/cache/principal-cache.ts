import type { Change, LoadedCredential, StorePosition } from '../model/change.ts';
import type { Now } from '../model/clock.ts';
import type { Digest } from '../model/ids.ts';
import type { CredentialKind, PrincipalMemory } from '../model/memory.ts';
import type { KnownCredential } from '../model/subject.ts';
import { Absences } from './absences.ts';
import type { CacheStats, PrincipalCacheOptions } from './cache-options.ts';
import { type Arrival, CredentialLevels } from './credential-levels.ts';
import type { CredentialEntry } from './entry.ts';
import { ChangeHorizon, NO_HISTORY } from './horizon.ts';
import type { ChangeSink } from './ports.ts';

/** ±10 %, so that what was loaded together is not read again together. */
const TTL_JITTER = 0.1;

/** A refresh that was asked for and did not come (the store is slow, or others went first) is asked for again after this. */
const REFRESH_RETRY_MS = 5_000;

/** Taken before a load begins, given back with what it loaded. */
export interface LoadTicket {
  readonly history: number;
  readonly startedMonoMs: number;
}

export interface FinishedLoad {
  readonly kind: CredentialKind;
  readonly digest: Digest;
  readonly loaded: LoadedCredential;
  readonly ticket: LoadTicket;
}

/** `behind`, `foreign`: not to be used, nor kept; load again (see LoadStanding). */
export type Admission =
  | { readonly kind: 'found'; readonly credential: KnownCredential }
  | { readonly kind: 'absent' }
  | { readonly kind: 'behind' }
  | { readonly kind: 'foreign' };

/**
 * What memory knows of credentials, in two levels: digest → credential, subject → what it may do. A change hits the subject and
 * with it all its credentials at once.
 *
 * Fresh is what was loaded, or confirmed by the follower, within the stale window; `find` gives nothing else. What a change
 * names is dropped. Where changes were missed everything is suspect: it has to be loaded again before use, and only if the
 * store does not answer may it serve once more (`lastResort`), since it is not known to be revoked.
 *
 * A change is confirmed to others only after I/O, and a Fact reaches its waiter within the same turn of the event loop: so
 * nothing that `admit` gave is used after a change that hits it was reported as seen.
 */
export class PrincipalCache implements PrincipalMemory, ChangeSink {
  readonly #levels: CredentialLevels;
  readonly #absences = new Absences();
  readonly #horizon = new ChangeHorizon();
  readonly #ttlMs: number;
  readonly #staleWindowMs: number;
  readonly #random: () => number;
  readonly #onRefreshDue: PrincipalCacheOptions['onRefreshDue'];
  #hits = 0;
  #absenceHits = 0;
  #misses = 0;
  #staleHits = 0;
  #suspectsServed = 0;

  constructor(options: PrincipalCacheOptions) {
    this.#levels = new CredentialLevels(options.credentialsMax);
    this.#ttlMs = options.ttlMs;
    this.#staleWindowMs = options.staleWindowMs;
    this.#random = options.random;
    this.#onRefreshDue = options.onRefreshDue;
  }

  find(kind: CredentialKind, digest: Digest, now: Now): KnownCredential | 'absent' | undefined {
    const entry = this.#levels.get(kind, digest);
    if (entry === undefined) return this.#findAbsent(digest, now);
    const unconfirmedMs = now.monoMs - this.#horizon.heldAtMs(entry);
    if (unconfirmedMs > this.#staleWindowMs || this.#horizon.isSuspect(entry)) {
      this.#misses += 1;
      return undefined;
    }
    this.#hits += 1;
    if (unconfirmedMs > this.#ttlMs) this.#staleHits += 1;
    if (now.monoMs >= entry.refreshAtMs) this.#askForRefresh(entry, now);
    return entry;
  }

  /** What may still serve when the store did not answer: suspect, but neither named by a change nor past the stale window. */
  lastResort(kind: CredentialKind, digest: Digest, now: Now): KnownCredential | undefined {
    const entry = this.#levels.get(kind, digest);
    if (entry === undefined) return undefined;
    if (now.monoMs - this.#horizon.heldAtMs(entry) > this.#staleWindowMs) return undefined;
    if (this.#horizon.isSuspect(entry)) this.#suspectsServed += 1;
    return entry;
  }

  /** Is in memory, fresh or not: so it is no guess. */
  has(kind: CredentialKind, digest: Digest): boolean {
    return this.#levels.peek(kind, digest) !== undefined;
  }

  ticket(now: Now): LoadTicket {
    return { history: this.#horizon.history, startedMonoMs: now.monoMs };
  }

  /** Keeps what a load brought and says what is to be made of it. */
  admit(load: FinishedLoad): Admission {
    const standing = this.#horizon.standing(load.loaded, load.ticket.history);
    if (standing !== 'usable') return { kind: standing };
    const known = this.#levels.peek(load.kind, load.digest);
    if (known !== undefined && this.#isNewer(known, load.loaded.at)) {
      return { kind: 'found', credential: known };
    }
    return load.loaded.kind === 'found'
      ? { kind: 'found', credential: this.#keep(load, load.loaded) }
      : this.#keepAbsence(load);
  }

  adopt(at: StorePosition): void {
    this.#horizon.adopt(at);
    this.#absences.clear();
  }

  apply(change: Change): void {
    const { subject, version, created } = change;
    if (subject === 'all') {
      this.gap(version);
      return;
    }
    if (created) {
      this.#absences.clear();
      this.#horizon.fenceAbsences(version);
    }
    this.#horizon.fenceSubject(subject, version);
    const { history } = this.#horizon;
    this.#levels.drop(subject, (entry) => entry.history !== history || entry.version < version);
  }

  gap(version: number): void {
    this.#horizon.suspectAll(version);
    this.#absences.clear();
  }

  loseHistory(): void {
    this.#horizon.loseHistory();
    this.#absences.clear();
  }

  confirm(monoMs: number): void {
    this.#horizon.confirm(monoMs);
  }

  newestVersion(): number {
    return this.#horizon.newestVersion;
  }

  stats(): CacheStats {
    return {
      credentials: this.#levels.credentials,
      subjects: this.#levels.subjects,
      absences: this.#absences.size,
      hits: this.#hits,
      absenceHits: this.#absenceHits,
      misses: this.#misses,
      staleHits: this.#staleHits,
      suspectsServed: this.#suspectsServed,
      evictions: this.#levels.evictions,
    };
  }

  #findAbsent(digest: Digest, now: Now): 'absent' | undefined {
    if (this.#absences.has(digest, now.monoMs, this.#horizon.confirmedAtMs)) {
      this.#absenceHits += 1;
      return 'absent';
    }
    this.#misses += 1;
    return undefined;
  }

  #askForRefresh(entry: CredentialEntry, now: Now): void {
    entry.refreshAtMs = Math.floor(now.monoMs + REFRESH_RETRY_MS * (1 + this.#random()));
    this.#onRefreshDue(entry.kind, entry.digest);
  }

  /** A load that began earlier may end later; what was read last stays. */
  #isNewer(entry: CredentialEntry, at: StorePosition): boolean {
    return !this.#horizon.isSuspect(entry) && entry.version > at.version;
  }

  #keep(
    { kind, digest, ticket }: FinishedLoad,
    { subject, secretExpiresAtMs, at }: Extract<LoadedCredential, { kind: 'found' }>,
  ): KnownCredential {
    const loadedAtMs = Math.floor(ticket.startedMonoMs);
    const jitter = 1 + TTL_JITTER * (2 * this.#random() - 1);
    const arrival: Arrival = {
      kind,
      digest,
      subject,
      secretExpiresAtMs,
      loaded: { history: ticket.history, version: at.version, loadedAtMs },
      refreshAtMs: Math.floor(loadedAtMs + this.#ttlMs * jitter),
    };
    this.#absences.delete(digest);
    return this.#levels.put(arrival);
  }

  #keepAbsence({ kind, digest, ticket }: FinishedLoad): Admission {
    this.#levels.delete(kind, digest);
    if (ticket.history !== NO_HISTORY) this.#absences.add(digest, ticket.startedMonoMs);
    return { kind: 'absent' };
  }
}
