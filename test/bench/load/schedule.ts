import { FastRandom } from './random.ts';

export interface ArrivalRate {
  readonly perSecond: number;
  /** Requests come in groups of 1 to so many, each size equally likely. */
  readonly burstMax: number;
  readonly seed: number;
}

export interface Burst {
  /** Since the beginning. */
  readonly atMs: number;
  readonly requests: number;
}

/** So many bursts are drawn; then the same ones come again. Enough that nothing else comes again with them. */
const PATTERN_BURSTS = 1024;

/**
 * When requests arrive, whatever became of those before them: groups with exponentially distributed pauses, as many independent
 * clients make them. The same for the same seed, and on the whole exactly at the rate that was asked for.
 */
export function arrivals({ perSecond, burstMax, seed }: ArrivalRate): () => Burst {
  const pattern = drawPattern(burstMax, new FastRandom(seed));
  const requests = pattern.reduce((sum, burst) => sum + burst.requests, 0);
  const pauses = pattern.reduce((sum, burst) => sum + burst.pause, 0);
  const msPerPause = (1000 * requests) / perSecond / pauses;
  let atMs = 0;
  let next = 0;
  return () => {
    const burst = pattern[next] ?? { pause: 0, requests: 0 };
    next = (next + 1) % pattern.length;
    atMs += burst.pause * msPerPause;
    return { atMs, requests: burst.requests };
  };
}

function drawPattern(burstMax: number, random: FastRandom) {
  return Array.from({ length: PATTERN_BURSTS }, () => ({
    // 1 − fraction is never 0, whose logarithm would be endless.
    pause: -Math.log(1 - random.fraction()),
    requests: 1 + random.below(burstMax),
  }));
}
