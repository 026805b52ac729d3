import { LRUCache } from 'lru-cache';
import type { Digest, SubjectId } from '../model/ids.ts';
import type { CredentialKind } from '../model/memory.ts';
import type { Subject } from '../model/subject.ts';
import type { CredentialEntry } from './entry.ts';
import type { Loaded } from './horizon.ts';
import { SubjectIndex } from './subject-index.ts';

/**
 * A key has two secrets while it rotates; more are the old ones of rotations in quick succession. Other kinds can be minted at
 * will, and one subject must not fill the cache with them.
 */
const CREDENTIALS_PER_SUBJECT_MAX: Record<CredentialKind, number> = { api_key: 8 };

/** Shared, because the library otherwise allocates one object per call. It writes `status: undefined` into it. */
const GET_OPTIONS = {};

type Partition = LRUCache<Digest, CredentialEntry>;

export interface Arrival {
  readonly kind: CredentialKind;
  readonly digest: Digest;
  readonly subject: Subject;
  readonly secretExpiresAtMs: number | null;
  readonly loaded: Loaded;
  readonly refreshAtMs: number;
}

/**
 * The two levels: digest → credential, with a bound per kind, and subject → holder. What leaves the first level leaves the
 * second with it (see SubjectIndex), and the other way round.
 */
export class CredentialLevels {
  readonly #partitions: Record<CredentialKind, Partition>;
  readonly #subjects = new SubjectIndex();
  #evictions = 0;

  constructor(credentialsMax: number) {
    this.#partitions = { api_key: this.#partition(credentialsMax) };
  }

  get credentials(): number {
    return this.#partitions.api_key.size;
  }

  get subjects(): number {
    return this.#subjects.size;
  }

  get evictions(): number {
    return this.#evictions;
  }

  /** Counts as a use: what is used stays. */
  get(kind: CredentialKind, digest: Digest): CredentialEntry | undefined {
    return this.#partitions[kind].get(digest, GET_OPTIONS);
  }

  peek(kind: CredentialKind, digest: Digest): CredentialEntry | undefined {
    return this.#partitions[kind].peek(digest);
  }

  put(arrival: Arrival): CredentialEntry {
    const { kind, digest, subject, loaded } = arrival;
    const partition = this.#partitions[kind];
    // Imported again under another key: the digest now belongs to somebody else.
    if (partition.peek(digest)?.subject.id !== subject.id) partition.delete(digest);
    const holder = this.#subjects.update(subject, loaded);
    const known = partition.peek(digest);
    const entry = known ?? this.#subjects.link(kind, digest, holder);
    entry.secretExpiresAtMs = arrival.secretExpiresAtMs;
    entry.history = loaded.history;
    entry.version = loaded.version;
    entry.loadedAtMs = loaded.loadedAtMs;
    entry.refreshAtMs = arrival.refreshAtMs;
    if (known === undefined) {
      partition.set(digest, entry);
      this.#trim(kind, subject.id);
    }
    return entry;
  }

  delete(kind: CredentialKind, digest: Digest): void {
    this.#partitions[kind].delete(digest);
  }

  /** Drops the subject's credentials that `isHit` tells. */
  drop(subject: SubjectId, isHit: (entry: CredentialEntry) => boolean): void {
    for (const entry of this.#subjects.credentialsOf(subject)) {
      if (isHit(entry)) this.delete(entry.kind, entry.digest);
    }
  }

  #trim(kind: CredentialKind, subject: SubjectId): void {
    const ofKind = this.#subjects.credentialsOf(subject).filter((entry) => entry.kind === kind);
    for (const oldest of ofKind.slice(CREDENTIALS_PER_SUBJECT_MAX[kind])) {
      this.delete(kind, oldest.digest);
    }
  }

  #partition(max: number): Partition {
    return new LRUCache({
      max,
      dispose: (entry, _digest, reason) => {
        if (reason === 'evict') this.#evictions += 1;
        this.#subjects.unlink(entry);
      },
    });
  }
}
