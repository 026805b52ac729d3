import { describe, expect, it } from 'vitest';
import { BucketTable } from '../../../src/limits/bucket-table.ts';
import { seededRandom } from '../../support/random.ts';

const fullAt = (fullAtUs: number) => ({ fullAtUs, detail: 0 });

describe('BucketTable', () => {
  it('gives back what was written, for many buckets in many shards', () => {
    const table = new BucketTable(10_000);
    for (let n = 0; n < 10_000; n += 1) {
      table.write(`minute|key:${n}`, { fullAtUs: 1e15 + n, detail: -n }, 0);
    }

    for (let n = 0; n < 10_000; n += 1) {
      expect(table.read(`minute|key:${n}`)).toEqual({ fullAtUs: 1e15 + n, detail: -n });
    }
    expect(table.read('minute|key:10000')).toBeUndefined();
  });

  it('drops full buckets before any other', () => {
    const table = new BucketTable(500);
    const now = 1000;
    for (let n = 0; n < 500; n += 1) {
      table.write(`b${n}`, fullAt(n % 2 === 0 ? now : now + 1 + n), 0);
    }

    for (let n = 0; n < 250; n += 1) table.write(`new${n}`, fullAt(1e9), now);

    for (let n = 1; n < 500; n += 2) expect(table.read(`b${n}`), `b${n}`).toBeDefined();
    expect(table.stats()).toMatchObject({ size: 500, evictedFull: 250, evictedEarly: 0 });
  });

  it('drops the bucket that would be full soonest when none is full', () => {
    const table = new BucketTable(300);
    for (let n = 0; n < 300; n += 1) table.write(`b${n}`, fullAt(10_000 - n), 0);

    for (let n = 0; n < 5; n += 1) table.write(`new${n}`, fullAt(1e9), 1);

    for (let n = 0; n < 295; n += 1) expect(table.read(`b${n}`), `b${n}`).toBeDefined();
    for (let n = 295; n < 300; n += 1) expect(table.read(`b${n}`), `b${n}`).toBeUndefined();
    expect(table.stats()).toMatchObject({ size: 300, evictedFull: 0, evictedEarly: 5 });
  });

  it('shrinks by itself while new buckets come: full ones leave before there is no room', () => {
    const table = new BucketTable(100_000);
    for (let n = 0; n < 50_000; n += 1) table.write(`old${n}`, fullAt(1000), 0);

    for (let n = 0; n < 13_000; n += 1) table.write(`new${n}`, fullAt(1e9), 1000);

    expect(table.stats()).toMatchObject({ size: 13_000, evictedFull: 50_000, evictedEarly: 0 });
  });

  it('finds every full bucket of a large full table within one round of evictions', () => {
    const sizeMax = 50_000;
    const table = new BucketTable(sizeMax);
    const random = seededRandom(48);
    for (let n = 0; n < sizeMax; n += 1) {
      table.write(`b${n}`, fullAt(random.below(100) === 0 ? 10 : 1e9), 0);
    }

    for (let n = 0; n < 2000; n += 1) table.write(`new${n}`, fullAt(1e9), 10);

    for (let n = 0; n < sizeMax; n += 1) {
      expect(table.read(`b${n}`)?.fullAtUs ?? 1e9, `b${n}`).toBe(1e9);
    }
  });

  it.each([1, 2, 64, 1000])('never holds more than %d buckets, whatever comes', (sizeMax) => {
    const table = new BucketTable(sizeMax);
    const random = seededRandom(sizeMax);
    const plain = new Map<string, number>();
    for (let step = 0; step < 20_000; step += 1) {
      const bucket = `b${random.below(sizeMax * 3)}`;
      const fullAtUs = step + random.below(2 * sizeMax);
      table.write(bucket, fullAt(fullAtUs), step);
      plain.set(bucket, fullAtUs);
      expect(table.read(bucket)?.fullAtUs).toBe(fullAtUs);
    }

    let held = 0;
    for (const [bucket, fullAtUs] of plain) {
      const state = table.read(bucket);
      if (state === undefined) continue;
      held += 1;
      expect(state.fullAtUs).toBe(fullAtUs);
    }
    expect(held).toBe(table.stats().size);
    expect(held).toBeLessThanOrEqual(sizeMax);
  });

  it('names a size that makes no sense', () => {
    expect(() => new BucketTable(0)).toThrow('at least one bucket, not 0');
  });
});
