import type { Now } from './clock.ts';
import type { Limit } from './plan.ts';

/**
 * One counter to draw from. Identities and client addresses live in separate bounded maps: a flood of addresses must
 * not reset anybody's quota. Failures are counted apart from both.
 */
export interface Charge {
  readonly limit: Limit;
  readonly partition: 'identity' | 'address' | 'failure';
  /** Unique within the partition: `<limit id>|<who>`. */
  readonly bucket: string;
}

/** One limit as it stands after a request (or, if refused, as it stood). */
export interface LimitReport {
  readonly limit: Limit;
  /** Whole units still available now; never negative. */
  readonly remaining: number;
  /** Milliseconds until the limit is fully refilled (GCRA) or its window ends; never negative. */
  readonly resetMs: number;
  /** Least wait after which this very request would pass, in whole milliseconds; 0 when it passed, a year when none helps. */
  readonly retryAfterMs: number;
}

export type SpendResult =
  | { readonly allowed: true; readonly reports: readonly LimitReport[] }
  | {
      readonly allowed: false;
      readonly reports: readonly LimitReport[];
      readonly violated: LimitReport;
    };

/** The counters in memory. All are synchronous; per replica. */
export interface LimitMemory {
  /**
   * Evaluates every charge before any is made; if one would be exceeded none is charged.
   * `violated` is the one with the longest wait: after it all of them let the request pass.
   * `requestKey` names the request as Envoy saw it: a Check repeated by Envoy within a moment is charged once and passes
   * again; one that was refused charged nothing and is asked anew. `undefined`: no such name, always charged.
   */
  spend(
    charges: readonly Charge[],
    cost: number,
    now: Now,
    requestKey: string | undefined,
  ): SpendResult;
  /** As `spend` would answer for this one charge, charging nothing. */
  peek(charge: Charge, cost: number, now: Now): LimitReport;
}
