import { describe, expect, it } from 'vitest';
import { LocalLimits, NEVER_MS } from '../../../src/limits/local-store.ts';
import type { Now } from '../../../src/model/clock.ts';
import type { Charge, LimitReport } from '../../../src/model/limit-memory.ts';
import type { Limit } from '../../../src/model/plan.ts';
import { type Random, seededRandom } from '../../support/random.ts';
import { type Expected, plainCounter } from './plain-model.ts';

const STEPS = 120_000;
const PRINCIPALS = 12;
const SIZES = { identity: 1000, address: 1000, failure: 1000 };

/** Even and uneven rates, fast and slow ones, bursts of one and bursts above the quota, and the edges. */
const LIMITS: readonly Limit[] = [
  gcra('even', { quota: 100, windowMs: 60_000 }),
  gcra('thirds', { quota: 3, windowMs: 1000 }),
  gcra('primes', { quota: 7919, windowMs: 86_400_000, burst: 13 }),
  gcra('burst-of-one', { quota: 10, windowMs: 1000, burst: 1 }),
  gcra('burst-above-quota', { quota: 2, windowMs: 777, burst: 9 }),
  gcra('faster-than-the-clock', { quota: 10_000_019, windowMs: 1000, burst: 3 }),
  gcra('month', { quota: 1_000_003, windowMs: 2_592_000_000, burst: 1_000_003 }),
  gcra('nothing', { quota: 0, windowMs: 1000, burst: 5 }),
  fixed('second', { quota: 5, windowMs: 1000 }),
  fixed('odd', { quota: 11, windowMs: 7919 }),
  fixed('day', { quota: 60, windowMs: 86_400_000 }),
  fixed('closed', { quota: 0, windowMs: 1000 }),
];

describe('limits against a plain model', () => {
  it(`agree in decision, remaining, reset and retry-after over ${STEPS} random steps`, () => {
    const random = seededRandom(20_261_123);
    let now: Now = { wallMs: 1_790_000_000_123, monoMs: 5_000.25 };
    const limits = new LocalLimits(SIZES, now);
    const startedAt = now;
    const models = new Map<string, ReturnType<typeof plainCounter>>();
    const modelOf = (charge: Charge) => {
      const known = models.get(charge.bucket) ?? plainCounter(charge.limit, startedAt);
      models.set(charge.bucket, known);
      return known;
    };
    const seen = { allowed: 0, refused: 0, never: 0, retried: 0 };

    for (let step = 0; step < STEPS; step += 1) {
      now = advance(now, random);
      const charges = someCharges(random);
      const cost = random.pick([0, 1, 1, 1, 2, 3, 5, 12]);
      const before = charges.map((charge) => modelOf(charge).expect(cost, now));
      const passes = before.every((expected) => expected.retryAfterMs === 0);

      const result = limits.spend(charges, cost, now, undefined);

      if (passes) for (const charge of charges) modelOf(charge).draw(cost, now);
      const after = charges.map((charge) => modelOf(charge).expect(0, now));
      const expected = passes ? after : before;
      const context = `step ${step}, cost ${cost}, ${charges.map((c) => c.bucket).join(' ')}`;
      expect(result.allowed, context).toBe(passes);
      expect(result.reports.map(asText).join('; '), context).toBe(expected.map(asText).join('; '));
      if (result.allowed) {
        seen.allowed += 1;
        continue;
      }
      seen.refused += 1;
      const longest = Math.max(...before.map((e) => e.retryAfterMs ?? NEVER_MS));
      expect(result.violated.retryAfterMs, context).toBe(longest);
      expect(result.reports).toContain(result.violated);
      if (longest === NEVER_MS) seen.never += 1;
      else {
        seen.retried += 1;
        const passesAfter = (waitMs: number) =>
          charges.every(
            (charge) => limits.peek(charge, cost, later(now, waitMs)).retryAfterMs === 0,
          );
        expect(passesAfter(longest), `${context}: retry after ${longest} ms`).toBe(true);
        expect(passesAfter(longest - 1), `${context}: retry 1 ms too early`).toBe(false);
      }
    }
    // The run is worth nothing if chance left one of the outcomes out.
    expect(Math.min(seen.allowed, seen.refused, seen.never, seen.retried)).toBeGreaterThan(1000);
    expect(limits.stats().identity.evictedEarly).toBe(0);
  });
});

function gcra(name: string, of: Pick<Limit, 'quota' | 'windowMs'> & { burst?: number }): Limit {
  return { id: `p/${name}`, name, algorithm: 'gcra', per: 'key', burst: of.quota, ...of };
}

function fixed(name: string, of: Pick<Limit, 'quota' | 'windowMs'>): Limit {
  return { id: `p/${name}`, name, algorithm: 'fixed_window', per: 'key', burst: of.quota, ...of };
}

/** The monotonic clock goes forward by nothing, microseconds, or days; the wall clock goes where it likes. */
function advance({ wallMs, monoMs }: Now, random: Random): Now {
  const stepMs = random.pick([
    () => 0,
    () => random.below(1000) / 1000,
    () => random.below(20),
    () => random.below(2000),
    () => random.below(2_000_000) / 1000,
    () => (random.below(500) === 0 ? random.below(100_000_000) : 1),
  ])();
  const jumpMs = random.below(100) === 0 ? random.below(10_000_000) - 5_000_000 : stepMs;
  return { wallMs: wallMs + jumpMs, monoMs: monoMs + stepMs };
}

function later({ wallMs, monoMs }: Now, byMs: number): Now {
  return { wallMs: wallMs + byMs, monoMs: monoMs + byMs };
}

/** One to three different limits of one principal. */
function someCharges(random: Random): Charge[] {
  const who = random.below(PRINCIPALS);
  const chosen = new Set<Limit>();
  for (let count = 1 + random.below(3); count > 0; count -= 1) chosen.add(random.pick(LIMITS));
  return [...chosen].map((limit) => ({
    limit,
    partition: 'identity',
    bucket: `${limit.id}|key:${who}`,
  }));
}

/** As text, since comparing two strings is what a hundred thousand comparisons can afford. */
function asText(numbers: LimitReport | Expected): string {
  const { remaining, resetMs, retryAfterMs = NEVER_MS } = numbers;
  return `remaining ${remaining}, reset ${resetMs}, retry after ${retryAfterMs}`;
}
