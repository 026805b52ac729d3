import type { Limit } from '../model/plan.ts';
import type { BucketState, Meter } from './meter.ts';

/**
 * A counter per calendar-aligned window: windows begin at whole multiples of their length since the Unix epoch, so a
 * day's quota is the UTC day's. Up to twice the quota can fall within one window's length, around its end.
 *
 * The calendar is the wall clock as it stood when the process started, carried on by the monotonic clock. Were the wall
 * clock read each time, a step of NTP backwards would open a spent window a second time.
 */
export function fixedWindowMeter({ quota, windowMs }: Limit, wallOffsetUs: number): Meter {
  const windowUs = windowMs * 1000;
  const endOf = (nowUs: number): number =>
    (Math.floor((nowUs + wallOffsetUs) / windowUs) + 1) * windowUs - wallOffsetUs;
  return {
    waitUs(state, cost, nowUs) {
      if (cost > quota) return Number.POSITIVE_INFINITY;
      const endUs = endOf(nowUs);
      return usedOf(state, endUs) + cost <= quota ? 0 : endUs - nowUs;
    },
    charged(state, cost, nowUs) {
      const endUs = endOf(nowUs);
      return { fullAtUs: endUs, detail: -(usedOf(state, endUs) + cost) };
    },
    standing(state, nowUs) {
      const endUs = endOf(nowUs);
      // The quota may be smaller than what was used under the policy before this one.
      return { remaining: Math.max(0, quota - usedOf(state, endUs)), resetUs: endUs - nowUs };
    },
  };
}

/** A state with another end is of an earlier window, of another window length, or of another algorithm: it starts anew. */
function usedOf(state: BucketState | undefined, endUs: number): number {
  return state === undefined || state.fullAtUs !== endUs || state.detail >= 0 ? 0 : -state.detail;
}
