import type { Now } from '../../../src/model/clock.ts';
import type { Limit } from '../../../src/model/plan.ts';

/**
 * What the limits mean, written down as plainly as possible and in whole-number arithmetic without bounds: a bucket that
 * is filled as time goes by, and a list of what was drawn when. It never forgets.
 */
export interface PlainCounter {
  expect(cost: number, now: Now): Expected;
  draw(cost: number, now: Now): void;
}

export interface Expected {
  readonly remaining: number;
  readonly resetMs: number;
  /** `undefined`: never. */
  readonly retryAfterMs: number | undefined;
}

export function plainCounter(limit: Limit, startedAt: Now): PlainCounter {
  return limit.algorithm === 'gcra' ? tokenBucket(limit) : drawList(limit, startedAt);
}

/** Its level is in tokens times the window, so that every microsecond adds exactly `quota`. */
function tokenBucket(limit: Limit): PlainCounter {
  const windowUs = BigInt(limit.windowMs) * 1000n;
  const quota = BigInt(limit.quota);
  const full = quota === 0n ? 0n : BigInt(limit.burst) * windowUs;
  let level = full;
  let filledAtUs: bigint | undefined;
  const fill = (now: Now): void => {
    const nowUs = microseconds(now.monoMs);
    const filled = level + (nowUs - (filledAtUs ?? nowUs)) * quota;
    level = filled < full ? filled : full;
    filledAtUs = nowUs;
  };
  return {
    expect(cost, now) {
      fill(now);
      const price = BigInt(cost) * windowUs;
      const waitUs = price > full ? undefined : price <= level ? 0n : ceilDiv(price - level, quota);
      return {
        remaining: Number(level / windowUs),
        resetMs: quota === 0n ? 0 : inMs(ceilDiv(full - level, quota)),
        retryAfterMs: waitUs === undefined ? undefined : inMs(waitUs),
      };
    },
    draw(cost, now) {
      fill(now);
      level -= BigInt(cost) * windowUs;
    },
  };
}

function drawList(limit: Limit, startedAt: Now): PlainCounter {
  const windowUs = BigInt(limit.windowMs) * 1000n;
  const drawn: { window: bigint; cost: number }[] = [];
  const calendarUs = (now: Now): bigint =>
    microseconds(startedAt.wallMs) + microseconds(now.monoMs) - microseconds(startedAt.monoMs);
  return {
    expect(cost, now) {
      const at = calendarUs(now);
      const window = at / windowUs;
      let used = 0;
      for (const draw of drawn) if (draw.window === window) used += draw.cost;
      const untilEnd = inMs((window + 1n) * windowUs - at);
      const passes = used + cost <= limit.quota;
      return {
        remaining: limit.quota - used,
        resetMs: untilEnd,
        retryAfterMs: cost > limit.quota ? undefined : passes ? 0 : untilEnd,
      };
    },
    draw(cost, now) {
      drawn.push({ window: calendarUs(now) / windowUs, cost });
      // Only the newest window is ever asked for again; time does not go back.
      while (drawn.length > 0 && drawn[0]?.window !== calendarUs(now) / windowUs) drawn.shift();
    },
  };
}

function microseconds(ms: number): bigint {
  return BigInt(Math.round(ms * 1000));
}

function inMs(us: bigint): number {
  return Number(ceilDiv(us, 1000n));
}

function ceilDiv(a: bigint, b: bigint): bigint {
  return (a + b - 1n) / b;
}
