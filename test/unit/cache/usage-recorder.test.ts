import { describe, expect, it } from 'vitest';
import type { KeyUse } from '../../../src/cache/ports.ts';
import { UsageRecorder } from '../../../src/cache/usage-recorder.ts';
import { StoreUnavailableError } from '../../../src/model/change.ts';
import type { KeyId } from '../../../src/model/ids.ts';
import { FakeTime, settled } from './fake-time.ts';

function recording() {
  const time = new FakeTime();
  const written: KeyUse[][] = [];
  const faults: unknown[] = [];
  const store = {
    recordUsage: async (entries: readonly KeyUse[], _signal: AbortSignal): Promise<void> => {
      written.push([...entries]);
    },
  };
  const recorder = new UsageRecorder({
    store,
    schedule: time.schedule,
    random: () => 0.5,
    observer: { fault: (error) => faults.push(error) },
  });
  return { time, written, faults, store, recorder };
}

const key = (id: string) => id as KeyId;

describe('last use', () => {
  it('is written in batches every half minute, one entry per key, the latest', async () => {
    const { recorder, time, written } = recording();
    recorder.start();
    recorder.record(key('a'), 100, '192.0.2.1');
    recorder.record(key('a'), 300, '192.0.2.3');
    recorder.record(key('a'), 200, '192.0.2.2');
    recorder.record(key('b'), 50, null);
    await time.advance(29_999);
    expect(written).toEqual([]);
    await time.advance(1);
    expect(written).toEqual([
      [
        { keyId: 'a', atMs: 300, address: '192.0.2.3' },
        { keyId: 'b', atMs: 50, address: null },
      ],
    ]);
    await time.advance(60_000);
    expect(written).toHaveLength(1);
    await recorder.stop();
    expect(time.pendingTimers).toBe(0);
  });

  it('that could not be written is kept, without replacing a later one', async () => {
    const { recorder, written, store, faults } = recording();
    const { recordUsage } = store;
    let fail = (): void => {};
    store.recordUsage = () =>
      new Promise((_, reject) => {
        fail = () => reject(new StoreUnavailableError('away'));
      });
    recorder.record(key('a'), 100, null);
    recorder.record(key('b'), 100, null);
    const flushed = recorder.flush();
    await settled();
    recorder.record(key('a'), 150, null);
    fail();
    await flushed;
    store.recordUsage = recordUsage;
    await recorder.flush();
    expect(written).toEqual([
      [
        { keyId: 'a', atMs: 150, address: null },
        { keyId: 'b', atMs: 100, address: null },
      ],
    ]);
    expect(faults).toEqual([]);
  });

  it('is bounded in memory and in each statement', async () => {
    const { recorder, written } = recording();
    for (let index = 0; index < 100_500; index += 1) recorder.record(key(`k${index}`), index, null);
    expect(recorder.pending).toBe(100_000);
    await recorder.flush();
    expect(Math.max(...written.map((batch) => batch.length))).toBe(500);
    expect(written.flat()).toHaveLength(100_000);
    expect(recorder.pending).toBe(0);
  });

  it('is written at the end, and stopping ends even while the store is silent', async () => {
    const { recorder, written, store, time } = recording();
    recorder.start();
    recorder.record(key('a'), 100, null);
    await recorder.stop();
    expect(written).toHaveLength(1);
    recorder.record(key('b'), 100, null);
    store.recordUsage = () => new Promise(() => {});
    const stopped = recorder.stop();
    await time.advance(2_000);
    await stopped;
    expect(recorder.pending).toBe(1);
  });

  it('that the store refuses is reported and given up, and does not hold up the rest', async () => {
    const { recorder, store, written, faults } = recording();
    const { recordUsage } = store;
    const refusal = new Error('invalid byte sequence');
    store.recordUsage = (batch, signal) =>
      batch.some(({ keyId }) => keyId === 'k0')
        ? Promise.reject(refusal)
        : recordUsage(batch, signal);
    for (let index = 0; index < 600; index += 1) recorder.record(key(`k${index}`), index, null);
    await recorder.flush();
    expect(faults).toEqual([refusal]);
    expect(written.map((batch) => batch.length)).toEqual([100]);
    expect(recorder.pending).toBe(0);
  });
});
