import type { StorePosition } from '../model/change.ts';

/** What was switched off or on, and could be switched back. */
export interface Switched<Item> {
  readonly record: Item;
  /** `false`: it was so before; waiting for `at` is right as well. */
  readonly changed: boolean;
  readonly at: StorePosition;
}
