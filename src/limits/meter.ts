import type { Limit } from '../model/plan.ts';
import { fixedWindowMeter } from './fixed-window.ts';
import { gcraMeter } from './gcra.ts';

/**
 * What is kept of one bucket, whatever the algorithm: two numbers, so that a million buckets fit two flat arrays which
 * the garbage collector never walks. Times are whole microseconds on the monotonic clock.
 */
export interface BucketState {
  /** From here on the bucket is as good as new and may be forgotten. */
  readonly fullAtUs: number;
  /** GCRA: the fraction of a microsecond, zero or more. Fixed window: units used, negated, so neither is taken for the other. */
  readonly detail: number;
}

export interface Standing {
  /** Whole units that are available now. */
  readonly remaining: number;
  /** Until the bucket is full again (GCRA) or its window ends; rounded up. */
  readonly resetUs: number;
}

/** How one limit counts. Pure; a bucket without a state is full. */
export interface Meter {
  /** Least wait after which `cost` passes: 0 passes now, `Infinity` never. */
  waitUs(state: BucketState | undefined, cost: number, nowUs: number): number;
  /** The state after `cost` was drawn. Only where `waitUs` is 0. */
  charged(state: BucketState | undefined, cost: number, nowUs: number): BucketState;
  standing(state: BucketState | undefined, nowUs: number): Standing;
}

/** `wallOffsetUs`: what to add to the monotonic clock to get the calendar's time (see fixed-window.ts). */
export function meterOf(limit: Limit, wallOffsetUs: number): Meter {
  switch (limit.algorithm) {
    case 'gcra':
      return gcraMeter(limit);
    case 'fixed_window':
      return fixedWindowMeter(limit, wallOffsetUs);
  }
}
