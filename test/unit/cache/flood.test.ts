import { describe, expect, it } from 'vitest';
import { settled } from './fake-time.ts';
import { Rig } from './rig.ts';

describe('a flood of random keys', () => {
  it('evicts nothing that lives, loads no more than its budget, and leaves nothing behind', async () => {
    const rig = await Rig.following({ credentialsMax: 1_000 });
    for (let index = 0; index < 1_000; index += 1) {
      rig.store.create(`live${index}`);
      await rig.ask(`live${index}`);
      if (index % 100 === 99) await rig.time.advance(2_000);
    }
    await rig.time.advance(10_000);
    const before = rig.store.loads;
    const startedMs = rig.time.monoMs;
    const kinds = new Map<string, number>();
    for (let index = 0; index < 1_000_000; index += 1) {
      // A thousand addresses take part; ten thousand guesses come in at once, every 50 ms.
      const client = `2001:db8::${index % 1_000}`;
      void rig.resolve(`guess${index}`, { client }).then((fact) => {
        const kind = fact.kind === 'unavailable' ? fact.cause : fact.kind;
        kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
      });
      if (index % 10_000 === 9_999) {
        await rig.time.advance(50);
        const { running, queued } = rig.cache.lookups.stats();
        expect(running + queued).toBeLessThanOrEqual(2 + 256);
      }
    }
    await settled();
    const stats = rig.cache.memory.stats();
    expect(stats).toMatchObject({ credentials: 1_000, subjects: 1_000, evictions: 0 });
    expect(stats.absences).toBeLessThanOrEqual(10_000);
    for (let index = 0; index < 1_000; index += 1) expect(rig.find(`live${index}`)).toBeDefined();
    const spentMs = rig.time.monoMs - startedMs;
    expect(rig.store.loads - before).toBeLessThanOrEqual(1_000 * (200 + (50 * spentMs) / 1_000));
    expect(rig.store.loadsAtOnceMax).toBeLessThanOrEqual(2);
    expect([...kinds.values()].reduce((sum, count) => sum + count)).toBe(1_000_000);
    expect(kinds.get('store') ?? 0).toBe(0);
  }, 60_000);

  it('from one address does not keep another from being looked up', async () => {
    const rig = await Rig.following();
    rig.store.create('legitimate');
    await rig.follow();
    rig.store.holdLoads = true;
    for (let index = 0; index < 10_000; index += 1) void rig.resolve(`guess${index}`);
    const fact = rig.resolve('legitimate', { client: '198.51.100.7' });
    for (let round = 0; round < 40; round += 1) await rig.deliverLoads();
    expect((await fact).kind).toBe('found');
    expect(rig.store.loads).toBeLessThanOrEqual(67);
  });
});
