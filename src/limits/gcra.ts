import type { Limit } from '../model/plan.ts';
import type { BucketState, Meter, Standing } from './meter.ts';

/**
 * The generic cell rate algorithm (ITU-T I.371), a token bucket that is kept as one time: the theoretical arrival time
 * (TAT) at which the bucket is full again. Drawing one unit moves it `window / quota` further; it may lie at most
 * `burst` units ahead of now. So a client gets `burst` units at once and `quota` per window from then on: at most
 * `quota + burst - 1` in any one window.
 *
 * Exact: a unit's time is rarely a whole number of microseconds, so spans are kept as microseconds and a fraction over
 * the limit's own denominator. Nothing is rounded until a report is made, and waits are rounded up.
 */
interface Rate {
  readonly burst: number;
  /** The denominator of every fraction of this limit. */
  readonly partsPerUs: number;
  /** The time of one unit. */
  readonly unit: Span;
  /** The time of `burst` units. */
  readonly tolerance: Span;
}

/** `us + parts / partsPerUs` microseconds, with `0 <= parts < partsPerUs`. */
interface Span {
  readonly us: number;
  readonly parts: number;
}

const NOTHING: Span = { us: 0, parts: 0 };

export function gcraMeter(limit: Limit): Meter {
  const rate = rateOf(limit);
  return {
    waitUs: (state, cost, nowUs) => waitUs(rate, debtOf(rate, state, nowUs), cost),
    charged: (state, cost, nowUs) => charged(rate, debtOf(rate, state, nowUs), { cost, nowUs }),
    standing: (state, nowUs) => standing(rate, debtOf(rate, state, nowUs)),
  };
}

/** How far the TAT lies ahead: what has been drawn and not yet refilled. */
function debtOf(rate: Rate, state: BucketState | undefined, nowUs: number): Span {
  if (state === undefined || state.detail < 0 || state.fullAtUs <= nowUs) return NOTHING;
  const parts = state.detail;
  // The TAT is stored rounded up, beside what was missing to the whole microsecond.
  const us = state.fullAtUs - nowUs - (parts > 0 ? 1 : 0);
  // After a reload the fraction may be of another denominator: one microsecond more is the safe side of it.
  const debt = parts < rate.partsPerUs ? { us, parts } : { us: us + 1, parts: 0 };
  // A smaller burst after a reload: nobody owes more than a whole bucket.
  return isLess(rate.tolerance, debt) ? rate.tolerance : debt;
}

/** Passes if the debt leaves room for `cost` units; otherwise it must first shrink to that. */
function waitUs(rate: Rate, debt: Span, cost: number): number {
  if (cost > rate.burst) return Number.POSITIVE_INFINITY;
  const room = timeOf(rate, rate.burst - cost);
  const us = debt.us - room.us + (debt.parts > room.parts ? 1 : 0);
  return Math.max(0, us);
}

function charged(
  rate: Rate,
  debt: Span,
  { cost, nowUs }: { readonly cost: number; readonly nowUs: number },
): BucketState {
  const drawn = timeOf(rate, cost);
  const sum = debt.parts + drawn.parts;
  const carries = sum >= rate.partsPerUs;
  const parts = carries ? sum - rate.partsPerUs : sum;
  const us = nowUs + debt.us + drawn.us + (carries ? 1 : 0);
  return { fullAtUs: us + (parts > 0 ? 1 : 0), detail: parts };
}

function standing(rate: Rate, debt: Span): Standing {
  return { remaining: remaining(rate, debt), resetUs: debt.us + (debt.parts > 0 ? 1 : 0) };
}

/** The most units whose time fits into what the debt leaves of the tolerance. */
function remaining(rate: Rate, debt: Span): number {
  const { burst, partsPerUs, unit, tolerance } = rate;
  if (debt === NOTHING) return burst;
  const borrows = tolerance.parts < debt.parts;
  const room: Span = {
    us: tolerance.us - debt.us - (borrows ? 1 : 0),
    parts: tolerance.parts - debt.parts + (borrows ? partsPerUs : 0),
  };
  // Floating-point division is off by one at most; the exact spans decide.
  const estimate = (room.us + room.parts / partsPerUs) / (unit.us + unit.parts / partsPerUs);
  let units = Math.min(burst, Math.max(0, Math.floor(estimate)));
  while (units > 0 && isLess(room, timeOf(rate, units))) units -= 1;
  while (units < burst && !isLess(room, timeOf(rate, units + 1))) units += 1;
  return units;
}

/** The time that `units` take to refill; exact, since `burst * partsPerUs` fits a number (see `rateOf`). */
function timeOf({ unit, partsPerUs }: Rate, units: number): Span {
  const product = units * unit.parts;
  const parts = product % partsPerUs;
  return { us: units * unit.us + (product - parts) / partsPerUs, parts };
}

function isLess(a: Span, b: Span): boolean {
  return a.us < b.us || (a.us === b.us && a.parts < b.parts);
}

function rateOf({ quota, windowMs, burst }: Limit): Rate {
  // Nothing ever flows in, so a burst would be given once and never again: no unit passes at all.
  if (quota <= 0 || burst <= 0) {
    return { burst: 0, partsPerUs: 1, unit: { us: 1, parts: 0 }, tolerance: NOTHING };
  }
  const windowUs = windowMs * 1000;
  const rest = windowUs % quota;
  const divisor = greatestCommonDivisor(rest, quota);
  const whole = (windowUs - rest) / quota;
  const rate = {
    burst,
    ...fractionOf(whole, { rest: rest / divisor, of: quota / divisor, burst }),
  };
  return { ...rate, tolerance: timeOf({ ...rate, tolerance: NOTHING }, burst) };
}

/**
 * Quotas above some 90 million whose window they do not divide evenly would need products beyond 2^53: there the unit's
 * time is rounded up to a coarser fraction, so that the rate is a hair below the quota and never above it.
 */
function fractionOf(
  whole: number,
  { rest, of, burst }: { readonly rest: number; readonly of: number; readonly burst: number },
): { readonly partsPerUs: number; readonly unit: Span } {
  const partsMax = Math.max(1, Math.floor(Number.MAX_SAFE_INTEGER / burst));
  if (of <= partsMax) return { partsPerUs: of, unit: { us: whole, parts: rest } };
  const parts = Number((BigInt(rest) * BigInt(partsMax) + BigInt(of) - 1n) / BigInt(of));
  return parts === partsMax
    ? { partsPerUs: partsMax, unit: { us: whole + 1, parts: 0 } }
    : { partsPerUs: partsMax, unit: { us: whole, parts } };
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
