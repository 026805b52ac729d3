/** What a limit counts by. Keys, users and organizations are identities we know; a client address is anybody's. */
export type LimitPer = 'key' | 'user' | 'organization' | 'client_address';

/** GCRA lets a burst through and then a steady rate; a fixed window counts per calendar-aligned window. */
export type LimitAlgorithm = 'gcra' | 'fixed_window';

export interface Limit {
  /** `<plan>/<name>`: stable over reloads, so that counters survive a change of the policy file. */
  readonly id: string;
  readonly name: string;
  /** Units per window; a request costs its route's `cost`. */
  readonly quota: number;
  readonly windowMs: number;
  /** Most units at once (GCRA only; equals `quota` for fixed windows). */
  readonly burst: number;
  readonly algorithm: LimitAlgorithm;
  readonly per: LimitPer;
}

/** What a client that has been away may draw at once. Under GCRA the count of what is left begins at the burst, not at the quota. */
export function capacityOf(limit: Limit): number {
  return limit.algorithm === 'gcra' ? limit.burst : limit.quota;
}

export interface Plan {
  readonly name: string;
  readonly limits: readonly Limit[];
}
