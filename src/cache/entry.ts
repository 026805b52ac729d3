import type { Digest } from '../model/ids.ts';
import type { CredentialKind } from '../model/memory.ts';
import type { KnownCredential, Subject } from '../model/subject.ts';

/** Level 2: a subject as last read, shared by all its credentials, and the chain of those that are in memory. */
export class SubjectHolder {
  subject: Subject;
  /** Where `subject` was read. */
  history: number;
  version: number;
  first: CredentialEntry | undefined;

  constructor(subject: Subject, place: { readonly history: number; readonly version: number }) {
    this.subject = subject;
    this.history = place.history;
    this.version = place.version;
    this.first = undefined;
  }
}

/**
 * Level 1: one credential. It is what a hit returns, so a hit allocates nothing. Times are whole milliseconds of the monotonic
 * clock: V8 keeps small integers inside the object, and a fraction would cost an object of its own.
 */
export class CredentialEntry implements KnownCredential {
  readonly kind: CredentialKind;
  readonly digest: Digest;
  readonly holder: SubjectHolder;
  /** The next credential of the same subject. */
  next: CredentialEntry | undefined;
  secretExpiresAtMs: number | null;
  /** Where this credential was read: its own secret may have changed since its subject was read through another. */
  history: number;
  version: number;
  /** When the load began that read it last. */
  loadedAtMs: number;
  /** When a hit is to have it read again. */
  refreshAtMs: number;

  constructor(kind: CredentialKind, digest: Digest, holder: SubjectHolder) {
    this.kind = kind;
    this.digest = digest;
    this.holder = holder;
    this.next = undefined;
    this.secretExpiresAtMs = null;
    this.history = 0;
    this.version = 0;
    this.loadedAtMs = 0;
    this.refreshAtMs = 0;
  }

  get subject(): Subject {
    return this.holder.subject;
  }
}
