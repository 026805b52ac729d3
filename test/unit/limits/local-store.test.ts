import { describe, expect, it } from 'vitest';
import { LocalLimits, NEVER_MS } from '../../../src/limits/local-store.ts';
import type { Now } from '../../../src/model/clock.ts';
import type { Charge } from '../../../src/model/limit-memory.ts';
import type { Limit } from '../../../src/model/plan.ts';

const NOW: Now = { wallMs: 1_790_000_000_000, monoMs: 10_000 };
const SIZES = { identity: 100, address: 100, failure: 100 };
const MINUTE: Limit = {
  id: 'free/minute',
  name: 'minute',
  quota: 60,
  windowMs: 60_000,
  burst: 60,
  algorithm: 'gcra',
  per: 'key',
};
const DAY: Limit = {
  id: 'free/day',
  name: 'day',
  quota: 100,
  windowMs: 86_400_000,
  burst: 100,
  algorithm: 'fixed_window',
  per: 'organization',
};

const inMs = (ms: number): Now => ({ wallMs: NOW.wallMs + ms, monoMs: NOW.monoMs + ms });
const store = (sizes = SIZES) => new LocalLimits(sizes, NOW);
const chargeOf = (limit: Limit, who = 'key:a', partition: Charge['partition'] = 'identity') =>
  ({ limit, partition, bucket: `${limit.id}|${who}` }) satisfies Charge;

describe('a request that draws from several limits', () => {
  it('charges none of them when one refuses', () => {
    const limits = store();
    const [minute, day] = [chargeOf(MINUTE), chargeOf(DAY, 'org:a')];
    limits.spend([day], 95, NOW, undefined);

    const refused = limits.spend([minute, day], 10, NOW, undefined);

    expect(refused.allowed).toBe(false);
    expect(limits.peek(minute, 1, NOW).remaining).toBe(60);
    expect(limits.peek(day, 1, NOW).remaining).toBe(5);
  });

  it('blames the limit with the longest wait, so that a retry after it passes all of them', () => {
    const limits = store();
    const [minute, day] = [chargeOf(MINUTE), chargeOf(DAY, 'org:a')];
    limits.spend([minute], 60, NOW, undefined);
    limits.spend([day], 100, NOW, undefined);

    const refused = limits.spend([minute, day], 1, NOW, undefined);

    if (refused.allowed) throw new Error('it should have been refused');
    expect(refused.violated.limit).toBe(DAY);
    const retried = limits.spend([minute, day], 1, inMs(refused.violated.retryAfterMs), undefined);
    expect(retried.allowed).toBe(true);
  });

  it('reports them as they stand after the charge', () => {
    const result = store().spend([chargeOf(MINUTE), chargeOf(DAY)], 3, NOW, undefined);

    expect(result).toMatchObject({
      allowed: true,
      reports: [
        { limit: MINUTE, remaining: 57, resetMs: 3000, retryAfterMs: 0 },
        { limit: DAY, remaining: 97, retryAfterMs: 0 },
      ],
    });
  });

  it('passes when there is nothing to draw from', () => {
    expect(store().spend([], 1, NOW, undefined)).toEqual({ allowed: true, reports: [] });
  });
});

describe('the edges of a limit', () => {
  const QUOTA_MAX = Number.MAX_SAFE_INTEGER;

  it.each([
    { title: 'a cost above the burst', limit: { ...MINUTE, burst: 5 }, cost: 6 },
    { title: 'a cost above the quota of a window', limit: DAY, cost: 101 },
    { title: 'quota 0', limit: { ...MINUTE, quota: 0, burst: 0 }, cost: 1 },
    { title: 'quota 0 with a burst', limit: { ...MINUTE, quota: 0, burst: 9 }, cost: 1 },
    { title: 'quota 0 of a window', limit: { ...DAY, quota: 0 }, cost: 1 },
  ])('$title never passes, and says so with a number', ({ limit, cost }) => {
    const limits = store();
    const result = limits.spend([chargeOf(limit)], cost, NOW, undefined);

    expect(result).toMatchObject({ allowed: false, violated: { retryAfterMs: NEVER_MS } });
    expect(limits.peek(chargeOf(limit), cost, inMs(NEVER_MS)).retryAfterMs).toBe(NEVER_MS);
  });

  it.each(['gcra', 'fixed_window'] as const)(
    '%s counts exactly up to 2^53 - 1 and never reports less than nothing',
    (algorithm) => {
      const limit: Limit = { ...MINUTE, algorithm, quota: QUOTA_MAX, burst: QUOTA_MAX };
      const limits = store();

      limits.spend([chargeOf(limit)], QUOTA_MAX - 1, NOW, undefined);
      expect(limits.peek(chargeOf(limit), 1, NOW)).toMatchObject({ remaining: 1, retryAfterMs: 0 });
      limits.spend([chargeOf(limit)], 1, NOW, undefined);

      const empty = limits.peek(chargeOf(limit), 1, NOW);
      expect(empty.remaining).toBe(0);
      expect(empty.retryAfterMs).toBeGreaterThan(0);
      expect(empty.resetMs).toBeGreaterThan(0);
    },
  );

  it('a quota that 2^53 cannot divide exactly is never exceeded', () => {
    // A prime above the exact range: 999,999,937 units a second, of which a burst of a billion.
    const limit: Limit = { ...MINUTE, quota: 999_999_937, windowMs: 1000, burst: 1_000_000_000 };
    const limits = store();
    limits.spend([chargeOf(limit)], limit.burst, NOW, undefined);

    const { remaining } = limits.peek(chargeOf(limit), 1, inMs(500));

    expect(remaining).toBeLessThanOrEqual(Math.floor(limit.quota / 2));
    expect(remaining).toBeGreaterThan(limit.quota * 0.499);
  });

  it('a clock that stands or goes back refills nothing and breaks nothing', () => {
    const limits = store();
    limits.spend([chargeOf(MINUTE)], 60, NOW, undefined);

    expect(limits.peek(chargeOf(MINUTE), 1, NOW).remaining).toBe(0);
    expect(limits.peek(chargeOf(MINUTE), 1, inMs(-5000))).toMatchObject({
      remaining: 0,
      resetMs: 60_000,
    });
  });

  it('a step of the wall clock neither refills a window nor opens the next one', () => {
    const limits = store();
    limits.spend([chargeOf(DAY)], 100, NOW, undefined);

    for (const stepMs of [-3 * DAY.windowMs, 3 * DAY.windowMs]) {
      const stepped: Now = { wallMs: NOW.wallMs + stepMs, monoMs: NOW.monoMs + 1 };
      expect(limits.peek(chargeOf(DAY), 1, stepped).remaining).toBe(0);
    }
  });

  it('a window ends where the UTC day does', () => {
    const untilMidnightMs = 86_400_000 - (NOW.wallMs % 86_400_000);
    const limits = store();

    limits.spend([chargeOf(DAY)], 100, NOW, undefined);

    expect(limits.peek(chargeOf(DAY), 1, NOW).retryAfterMs).toBe(untilMidnightMs);
  });
});

describe('a limit that changes at a reload', () => {
  it.each([
    { title: 'smaller burst', to: { burst: 10 }, remaining: 0, resetMs: 10_000 },
    { title: 'larger burst', to: { burst: 120 }, remaining: 70, resetMs: 50_000 },
    { title: 'slower', to: { windowMs: 6_000_000 }, remaining: 59, resetMs: 50_000 },
    { title: 'closed', to: { quota: 0 }, remaining: 0, resetMs: 0 },
  ])('GCRA, $title: nobody owes more than the new burst', ({ to, remaining, resetMs }) => {
    const limits = store();
    limits.spend([chargeOf(MINUTE)], 50, NOW, undefined);

    const report = limits.peek(chargeOf({ ...MINUTE, ...to }), 1, NOW);

    expect(report).toMatchObject({ remaining, resetMs });
  });

  it('GCRA with another denominator keeps its time to the microsecond, on the safe side', () => {
    const limits = store();
    const sevenths = { ...MINUTE, quota: 7, burst: 7 };
    limits.spend([chargeOf(sevenths)], 1, NOW, undefined);

    // 60 s / 7 = 8,571,428 4/7 µs; thirds know no such fraction, so it becomes 8,571,429.
    const thirds = { ...MINUTE, quota: 3, windowMs: 1000, burst: 100 };
    expect(limits.peek(chargeOf(thirds), 1, inMs(0.428)).resetMs).toBe(8572);
    expect(limits.peek(chargeOf(thirds), 1, inMs(0.429)).resetMs).toBe(8571);
  });

  it('a window keeps its count under a smaller quota', () => {
    const limits = store();
    limits.spend([chargeOf(DAY)], 50, NOW, undefined);

    expect(limits.peek(chargeOf({ ...DAY, quota: 40 }), 1, NOW).remaining).toBe(0);
    expect(limits.peek(chargeOf({ ...DAY, quota: 60 }), 1, NOW).remaining).toBe(10);
  });

  it.each([
    { title: 'a shorter window', from: DAY, to: { ...DAY, windowMs: 1000 }, remaining: 100 },
    { title: 'a longer window', from: DAY, to: { ...DAY, windowMs: 1e9 }, remaining: 100 },
    {
      title: 'window to GCRA',
      from: DAY,
      to: { ...DAY, algorithm: 'gcra' as const },
      remaining: 100,
    },
    {
      title: 'GCRA to window',
      from: MINUTE,
      to: { ...MINUTE, algorithm: 'fixed_window' as const },
      remaining: 60,
    },
  ])('$title starts anew', ({ from, to, remaining }) => {
    const limits = store();
    limits.spend([chargeOf(from)], 50, NOW, undefined);

    expect(limits.peek(chargeOf(to), 1, NOW).remaining).toBe(remaining);
  });
});

describe('a Check that Envoy repeats', () => {
  const spendTwice = (limits: LocalLimits, first: string, second: string, laterMs = 100) => [
    limits.spend([chargeOf(MINUTE)], 1, NOW, first),
    limits.spend([chargeOf(MINUTE)], 1, inMs(laterMs), second),
  ];

  it('is charged once and passes again', () => {
    const limits = store();
    const [first, second] = spendTwice(limits, 'stream-7', 'stream-7', 0);

    expect(second).toEqual(first);
    expect(limits.peek(chargeOf(MINUTE), 1, NOW).remaining).toBe(59);
  });

  it('passes again though others have drawn the rest in the meantime', () => {
    const limits = store();
    limits.spend([chargeOf(MINUTE)], 1, NOW, 'stream-7');
    limits.spend([chargeOf(MINUTE)], 59, NOW, 'stream-8');

    const again = limits.spend([chargeOf(MINUTE)], 1, NOW, 'stream-7');
    expect(again).toMatchObject({ allowed: true, reports: [{ remaining: 0, retryAfterMs: 0 }] });
  });

  it('is asked anew when it was refused, since nothing was charged', () => {
    const limits = store();
    limits.spend([chargeOf(MINUTE)], 60, NOW, undefined);
    const [first, second] = spendTwice(limits, 'stream-7', 'stream-7', 999);
    expect([first?.allowed, second?.allowed]).toEqual([false, false]);

    expect(limits.spend([chargeOf(MINUTE)], 1, inMs(1000), 'stream-7').allowed).toBe(true);
    expect(limits.spend([chargeOf(MINUTE)], 1, inMs(1000), 'stream-9').allowed).toBe(false);
  });

  it('is another request when its name, its buckets or its cost differ', () => {
    const limits = store();
    spendTwice(limits, 'stream-7', 'stream-8');
    expect(limits.peek(chargeOf(MINUTE), 1, NOW).remaining).toBe(58);

    limits.spend([chargeOf(MINUTE)], 2, NOW, 'stream-7');
    expect(limits.peek(chargeOf(MINUTE), 1, NOW).remaining).toBe(56);

    limits.spend([chargeOf(MINUTE, 'key:b')], 1, NOW, 'stream-7');
    expect(limits.peek(chargeOf(MINUTE, 'key:b'), 1, NOW).remaining).toBe(59);
  });

  it('draws once from its plan and once from the failures', () => {
    const limits = store();
    const failure = chargeOf({ ...MINUTE, id: 'failures' }, '192.0.2.1', 'failure');
    for (let round = 0; round < 3; round += 1) {
      limits.spend([failure], 1, NOW, 'stream-7');
      limits.spend([chargeOf(MINUTE)], 1, NOW, 'stream-7');
    }

    expect(limits.peek(failure, 1, NOW).remaining).toBe(59);
    expect(limits.peek(chargeOf(MINUTE), 1, NOW).remaining).toBe(59);
  });

  it('is charged again once the moment has passed', () => {
    const limits = store();
    spendTwice(limits, 'stream-7', 'stream-7', 5000);

    expect(limits.peek(chargeOf(MINUTE), 1, inMs(5000)).remaining).toBe(59);
    expect(limits.peek(chargeOf(MINUTE), 1, inMs(5000)).resetMs).toBe(1000);
  });
});

describe('memory', () => {
  it('a flood of addresses or failures leaves every identity counted', () => {
    const limits = store();
    limits.spend([chargeOf(MINUTE)], 60, NOW, undefined);

    for (let n = 0; n < 10_000; n += 1) {
      limits.spend([chargeOf(MINUTE, `2001:db8:0:${n}::/64`, 'address')], 1, NOW, undefined);
      limits.spend([chargeOf(MINUTE, `2001:db8:0:${n}::/64`, 'failure')], 1, NOW, undefined);
    }

    expect(limits.peek(chargeOf(MINUTE), 1, NOW).remaining).toBe(0);
    expect(limits.stats()).toMatchObject({
      identity: { size: 1, sizeMax: 100, evictedEarly: 0 },
      address: { size: 100, evictedFull: 0, evictedEarly: 9900 },
      failure: { size: 100, evictedFull: 0, evictedEarly: 9900 },
    });
  });

  it('a full table refuses nobody', () => {
    const limits = store({ identity: 1, address: 1, failure: 1 });

    for (const who of ['a', 'b', 'c']) {
      const both = [chargeOf(MINUTE, who), chargeOf(DAY, who)];
      expect(limits.spend(both, 1, NOW, undefined).allowed).toBe(true);
    }
  });

  it('a request that draws nothing leaves nothing behind', () => {
    const limits = store();
    limits.spend([chargeOf(MINUTE)], 0, NOW, undefined);
    limits.peek(chargeOf(MINUTE), 1, NOW);

    expect(limits.stats().identity.size).toBe(0);
  });
});
