import type { Digest, SubjectId } from '../model/ids.ts';
import type { CredentialKind } from '../model/memory.ts';
import type { Subject } from '../model/subject.ts';
import { CredentialEntry, SubjectHolder } from './entry.ts';
import { NO_HISTORY, type Place } from './horizon.ts';
import { SubjectCompactor, sameSubject } from './subject-compactor.ts';

/**
 * Level 2 of the cache: subject → its holder. A holder lives exactly as long as one of its credentials is in level 1, so this
 * map is bounded by level 1 and needs no bound or order of its own.
 */
export class SubjectIndex {
  readonly #holders = new Map<SubjectId, SubjectHolder>();
  readonly #compactor = new SubjectCompactor();

  get size(): number {
    return this.#holders.size;
  }

  get(id: SubjectId): SubjectHolder | undefined {
    return this.#holders.get(id);
  }

  /** The holder with `subject` as read at `place`, unless it already holds what was read later. */
  update(subject: Subject, place: Place): SubjectHolder {
    const holder = this.#holders.get(subject.id);
    if (holder === undefined) return new SubjectHolder(this.#compactor.compact(subject), place);
    const isNewer =
      place.history === NO_HISTORY ||
      holder.history !== place.history ||
      holder.version <= place.version;
    if (isNewer) {
      // Unchanged, it stays the same object, and with it stays what the policy has made of it.
      const compact = this.#compactor.compact(subject);
      if (!sameSubject(holder.subject, compact)) holder.subject = compact;
      holder.history = place.history;
      holder.version = place.version;
    }
    return holder;
  }

  link(kind: CredentialKind, digest: Digest, holder: SubjectHolder): CredentialEntry {
    const entry = new CredentialEntry(kind, digest, holder);
    entry.next = holder.first;
    holder.first = entry;
    this.#holders.set(holder.subject.id, holder);
    return entry;
  }

  unlink(entry: CredentialEntry): void {
    const { holder } = entry;
    if (holder.first === entry) {
      holder.first = entry.next;
    } else {
      let before = holder.first;
      while (before !== undefined && before.next !== entry) before = before.next;
      if (before !== undefined) before.next = entry.next;
    }
    entry.next = undefined;
    if (holder.first === undefined) this.#holders.delete(holder.subject.id);
  }

  /** A copy: the caller may drop entries while it walks. Newest first. */
  credentialsOf(id: SubjectId): CredentialEntry[] {
    const entries: CredentialEntry[] = [];
    for (let entry = this.#holders.get(id)?.first; entry !== undefined; entry = entry.next) {
      entries.push(entry);
    }
    return entries;
  }
}
