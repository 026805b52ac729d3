import { describe, expect, it } from 'vitest';
import { ChargedRequests, fingerprintOf } from '../../../src/limits/charged-requests.ts';
import type { Charge } from '../../../src/model/limit-memory.ts';
import type { Limit } from '../../../src/model/plan.ts';

const LIMIT: Limit = {
  id: 'l',
  name: 'l',
  quota: 1,
  windowMs: 1,
  burst: 1,
  algorithm: 'gcra',
  per: 'key',
};
const charge = (bucket: string, partition: Charge['partition'] = 'identity'): Charge => ({
  limit: LIMIT,
  partition,
  bucket,
});
const nameOf = (requestKey: string): number => fingerprintOf(requestKey, [charge('b')], 1);

function add(requests: ChargedRequests, requestKey: string, nowMs: number): void {
  requests.has(nameOf(requestKey), nowMs);
  requests.add(nameOf(requestKey));
}

describe('ChargedRequests', () => {
  it('remembers a request for two seconds at least and four at most', () => {
    for (let phaseMs = 0; phaseMs < 4000; phaseMs += 250) {
      for (const [afterMs, known] of [
        [0, true],
        [1999, true],
        [4000, false],
        [3_600_000, false],
      ] as const) {
        const requests = new ChargedRequests();
        add(requests, 'earlier', 0);
        add(requests, 'r', phaseMs);
        const found = requests.has(nameOf('r'), phaseMs + afterMs);
        expect(found, `${phaseMs} + ${afterMs}`).toBe(known);
      }
    }
  });

  it('is bounded at any rate, and remembers the latest eight thousand', () => {
    const requests = new ChargedRequests();
    for (let n = 0; n < 100_000; n += 1) add(requests, `r${n}`, 1);

    let known = 0;
    for (let n = 0; n < 100_000; n += 1) if (requests.has(nameOf(`r${n}`), 1)) known += 1;
    expect(known).toBeLessThanOrEqual(2 * 8192);
    for (let n = 100_000 - 8192; n < 100_000; n += 1) {
      expect(requests.has(nameOf(`r${n}`), 1), `r${n}`).toBe(true);
    }
  });

  it('does not take one request for another', () => {
    const requests = new ChargedRequests();
    for (let n = 0; n < 8000; n += 1) add(requests, `17${n}:1790000000.${n}`, 1);

    for (let n = 0; n < 100_000; n += 1) {
      expect(requests.has(nameOf(`18${n}:1790000000.${n}`), 1)).toBe(false);
    }
  });
});

describe('fingerprintOf', () => {
  it('is another for every difference between two spends', () => {
    const spends: readonly [string, readonly Charge[], number][] = [
      ['r', [], 1],
      ['r', [charge('')], 1],
      ['r', [charge('b')], 1],
      ['r', [charge('b')], 2],
      ['r', [charge('b', 'address')], 1],
      ['r', [charge('b', 'failure')], 1],
      ['r', [charge('b'), charge('b')], 1],
      ['r', [charge('b'), charge('c')], 1],
      ['r', [charge('c'), charge('b')], 1],
      ['r', [charge('bc')], 1],
      ['rb', [charge('')], 1],
      ['', [charge('rb')], 1],
      ['s', [charge('b')], 1],
    ];
    const fingerprints = spends.map((spend) => fingerprintOf(...spend));
    expect(new Set(fingerprints).size).toBe(spends.length);
  });

  it('uses all of its 53 bits: none in three hundred thousand is met twice', () => {
    const fingerprints = new Set<number>();
    for (let n = 0; n < 300_000; n += 1) fingerprints.add(nameOf(`${n}`));

    expect(fingerprints.size).toBe(300_000);
    for (const fingerprint of fingerprints) {
      if (Number.isSafeInteger(fingerprint) && fingerprint > 0) continue;
      throw new Error(`${fingerprint} is no fingerprint`);
    }
  });
});
