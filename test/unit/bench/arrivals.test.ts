import { describe, expect, it } from 'vitest';
import { Latencies } from '../../bench/load/latencies.ts';
import { arrivals } from '../../bench/load/schedule.ts';

describe('arrivals', () => {
  const rate = { perSecond: 2_000, burstMax: 8, seed: 7 };

  function firstSeconds(seed: number, seconds: number) {
    const next = arrivals({ ...rate, seed });
    const bursts = [];
    for (let burst = next(); burst.atMs < 1000 * seconds; burst = next()) bursts.push(burst);
    return bursts;
  }

  it('come at the rate that was asked for', () => {
    const bursts = firstSeconds(rate.seed, 60);
    const requests = bursts.reduce((sum, burst) => sum + burst.requests, 0);
    expect(requests / 60 / rate.perSecond).toBeCloseTo(1, 1);
  });

  it('come in groups of every size up to the largest, each later than the one before', () => {
    const bursts = firstSeconds(rate.seed, 10);
    expect([...new Set(bursts.map(({ requests }) => requests))].sort()).toEqual([
      1, 2, 3, 4, 5, 6, 7, 8,
    ]);
    for (const [index, burst] of bursts.entries()) {
      expect(burst.atMs).toBeGreaterThan(bursts[index - 1]?.atMs ?? -1);
    }
  });

  it('are the same for the same seed, and others for another', () => {
    expect(firstSeconds(7, 1)).toEqual(firstSeconds(7, 1));
    expect(firstSeconds(7, 1)).not.toEqual(firstSeconds(8, 1));
  });
});

describe('latencies', () => {
  it('have the percentiles of what was recorded, to a thousandth', () => {
    const latencies = new Latencies();
    for (let us = 1; us <= 100_000; us += 1) latencies.record(us / 1000);
    const { count, meanUs, p50Us, p90Us, p99Us, p999Us, maxUs } = latencies.summary();
    expect(count).toBe(100_000);
    const near = (found: number, wanted: number): void => {
      expect(Math.abs(found / wanted - 1)).toBeLessThan(0.0015);
    };
    near(meanUs, 50_000);
    near(p50Us, 50_000);
    near(p90Us, 90_000);
    near(p99Us, 99_000);
    near(p999Us, 99_900);
    near(maxUs, 100_000);
  });

  it('are nothing where nothing was recorded', () => {
    expect(new Latencies().summary()).toMatchObject({ count: 0, meanUs: 0, p99Us: 0, maxUs: 0 });
  });

  it('take what is beyond the range as its end', () => {
    const latencies = new Latencies();
    latencies.record(-1);
    latencies.record(1e9);
    expect(latencies.summary().count).toBe(2);
  });
});
