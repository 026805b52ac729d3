import type { SubjectId } from './ids.ts';
import type { Subject } from './subject.ts';

/**
 * A place in the change log. `epoch` names the history (cluster and timeline): versions of different epochs say nothing
 * about each other. Versions count up by one per change, in commit order.
 */
export interface StorePosition {
  readonly epoch: string;
  readonly version: number;
}

/** What the store said about a digest, and the position of the very snapshot in which it said so. */
export type LoadedCredential =
  | {
      readonly kind: 'found';
      readonly subject: Subject;
      readonly secretExpiresAtMs: number | null;
      readonly at: StorePosition;
    }
  | { readonly kind: 'absent'; readonly at: StorePosition };

/** One row of the change log. `all`: too many subjects changed to name them. */
export interface Change {
  readonly version: number;
  /** Random per row: tells this row from one of the same version in another history. */
  readonly nonce: string;
  readonly subject: SubjectId | 'all';
  /** A key came to be: what is known to be absent may not be any more. */
  readonly created: boolean;
}

/** The store did not answer: away, too slow, or out of connections. An outage, never an answer. */
export class StoreUnavailableError extends Error {
  override readonly name = 'StoreUnavailableError';
}
