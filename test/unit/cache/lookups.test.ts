import { describe, expect, it } from 'vitest';
import { StoreUnavailableError } from '../../../src/model/change.ts';
import { settled } from './fake-time.ts';
import { digestOf } from './memory-store.ts';
import { credentialOf, Rig } from './rig.ts';

const STORE_AWAY = { kind: 'unavailable', cause: 'store', retryAfterMs: 1_000 };

describe('a lookup', () => {
  it('fills the cache, so the next request is a hit', async () => {
    const rig = await Rig.following();
    rig.store.create('k1');
    await rig.follow();
    expect(rig.find('k1')).toBeUndefined();
    const credential = credentialOf(await rig.resolve('k1'));
    expect(rig.find('k1')).toBe(credential);
    expect(rig.store.loads).toBe(1);
  });

  it('is shared: ten thousand parallel misses on one key are one load', async () => {
    const rig = await Rig.following();
    rig.store.create('k1');
    rig.store.holdLoads = true;
    const facts = Array.from({ length: 10_000 }, (_, index) =>
      rig.resolve('k1', { client: `192.0.2.${index % 256}`, patienceMs: 200 }),
    );
    await rig.deliverLoads();
    const kinds = new Set((await Promise.all(facts)).map(({ kind }) => kind));
    expect(kinds).toEqual(new Set(['found']));
    expect(rig.store.loads).toBe(1);
    expect(rig.time.pendingTimers).toBe(1);
  });

  it('runs on when its caller gives up, and fills the cache', async () => {
    const rig = await Rig.following();
    rig.store.create('k1');
    await rig.follow();
    rig.store.holdLoads = true;
    const fact = rig.resolve('k1', { patienceMs: 200 });
    await rig.time.advance(200);
    expect(await fact).toEqual(STORE_AWAY);
    await rig.deliverLoads();
    expect(rig.find('k1')).toBeDefined();
  });

  it('answers in time for the caller to hear it', async () => {
    const rig = await Rig.following();
    rig.store.holdLoads = true;
    let isAnswered = false;
    void rig.resolve('k1', { patienceMs: 200 }).then(() => {
      isAnswered = true;
    });
    await rig.time.advance(179);
    expect(isAnswered).toBe(false);
    await rig.time.advance(1);
    expect(isAnswered).toBe(true);
  });

  it('starts no timer that would overflow, whatever deadline the caller names', async () => {
    const rig = await Rig.following();
    const timersBefore = rig.time.delays.length;
    expect((await rig.resolve('k1', { patienceMs: 1e15 })).kind).toBe('absent');
    expect(rig.time.delays.length).toBeGreaterThan(timersBefore + 1);
    expect(Math.max(...rig.time.delays)).toBeLessThan(2 ** 31);
  });

  it('answers at once where the caller has no time left', async () => {
    const rig = await Rig.following();
    rig.store.create('k1');
    expect((await rig.resolve('k1', { patienceMs: 5 })).kind).toBe('unavailable');
    await settled();
    expect(rig.find('k1')).toBeDefined();
  });

  it('has a deadline of its own: a silent store is an outage, and nothing of it is kept', async () => {
    const rig = await Rig.following();
    rig.store.create('k1');
    rig.store.state = 'silent';
    const fact = rig.resolve('k1');
    await rig.time.advance(1_000);
    expect(await fact).toEqual(STORE_AWAY);
    rig.store.state = 'up';
    expect((await rig.resolve('k1')).kind).toBe('found');
  });

  it('takes an error that is no outage for one, and reports it', async () => {
    const rig = await Rig.following();
    const bug = new Error('column does not exist');
    rig.store.source.load = () => Promise.reject(bug);
    expect(await rig.resolve('k1')).toEqual(STORE_AWAY);
    expect(rig.faults).toEqual([bug]);
  });

  it('holds the caller no longer than three loads where changes overtake each of them', async () => {
    const rig = await Rig.following();
    rig.store.create('k1');
    await rig.follow();
    rig.store.holdLoads = true;
    const fact = rig.resolve('k1');
    for (let round = 0; round < 3; round += 1) {
      await settled();
      rig.store.change('k1', { plan: `p${round}` });
      await rig.follow();
      await rig.deliverLoads();
    }
    expect(await fact).toEqual(STORE_AWAY);
    expect(rig.outcomes).toEqual(['fenced', 'fenced', 'fenced']);
    expect(rig.find('k1')).toBeUndefined();
  });
});

describe('bounds', () => {
  it('runs two loads at once and lets the rest wait', async () => {
    const rig = await Rig.following();
    rig.store.holdLoads = true;
    const facts = Array.from({ length: 50 }, (_, index) => rig.resolve(`k${index}`));
    expect(rig.cache.lookups.stats()).toMatchObject({ running: 2, queued: 48 });
    for (let round = 0; round < 25; round += 1) await rig.deliverLoads();
    await Promise.all(facts);
    expect(rig.store.loadsAtOnceMax).toBe(2);
  });

  it('refuses as overload what the queue has no room for', async () => {
    const rig = await Rig.following({ queueMax: 8 });
    rig.store.holdLoads = true;
    for (let index = 0; index < 10; index += 1)
      void rig.resolve(`k${index}`, { client: `c${index}` });
    expect(await rig.resolve('late', { client: 'late' })).toEqual({
      kind: 'unavailable',
      cause: 'overload',
      retryAfterMs: 1_000,
    });
    expect(rig.cache.lookups.stats()).toMatchObject({ running: 2, queued: 8 });
  });

  it('gives one client address a quarter of the queue at most', async () => {
    const rig = await Rig.following();
    rig.store.holdLoads = true;
    const causes: string[] = [];
    for (let index = 0; index < 100; index += 1) {
      void rig.resolve(`k${index}`).then((fact) => {
        if (fact.kind === 'unavailable') causes.push(fact.cause);
      });
    }
    await settled();
    expect(rig.cache.lookups.stats()).toMatchObject({ running: 2, queued: 64 });
    expect(new Set(causes)).toEqual(new Set(['client_budget']));
    const other = rig.resolve('other', { client: '198.51.100.7' });
    expect(rig.cache.lookups.stats().queued).toBe(65);
    for (let round = 0; round < 40; round += 1) await rig.deliverLoads();
    expect((await other).kind).toBe('absent');
  });

  it('gives one client address fifty guesses a second after a burst of two hundred', async () => {
    const rig = await Rig.following();
    const guess = async (index: number) => rig.resolve(`guess${index}`);
    for (let index = 0; index < 200; index += 1) expect((await guess(index)).kind).toBe('absent');
    expect(await guess(200)).toEqual({
      kind: 'unavailable',
      cause: 'client_budget',
      retryAfterMs: 20,
    });
    await rig.time.advance(20);
    expect((await guess(201)).kind).toBe('absent');
    expect((await guess(202)).kind).toBe('unavailable');
    expect((await rig.resolve('guess', { client: '198.51.100.7' })).kind).toBe('absent');
  });

  it('after failures, gives a client address one guess a second, and refuses as such', async () => {
    const rig = await Rig.following();
    const guess = (index: number, client = '192.0.2.1') =>
      rig.resolve(`guess${index}`, { client, isAfterFailures: true });
    for (let index = 0; index < 5; index += 1) expect((await guess(index)).kind).toBe('absent');
    expect(await guess(5)).toEqual({ kind: 'unavailable', cause: 'failures', retryAfterMs: 1000 });
    expect((await guess(6, '198.51.100.7')).kind).toBe('absent');
    await rig.time.advance(1000);
    rig.store.create('cold');
    expect((await rig.resolve('cold', { isAfterFailures: true })).kind).toBe('found');
  });

  it('does not count what memory knew before as a guess', async () => {
    const rig = await Rig.following({ missesPerClient: { perSecond: 1, burst: 1 } });
    rig.store.create('k1');
    rig.store.create('k2');
    await rig.ask('k1');
    await rig.time.advance(1_000);
    await rig.ask('k2');
    rig.store.commit('all', true);
    await rig.follow();
    expect((await rig.resolve('k1')).kind).toBe('found');
    expect((await rig.resolve('k2')).kind).toBe('found');
  });

  it('blames the crowd, not the store, where loads are answered and this one has not begun', async () => {
    const rig = await Rig.following();
    rig.store.holdLoads = true;
    const facts = Array.from({ length: 10 }, (_, index) => rig.resolve(`k${index}`));
    const last = rig.resolve('last', { patienceMs: 200 });
    await rig.time.advance(100);
    await rig.deliverLoads();
    await rig.time.advance(100);
    expect(await last).toMatchObject({ cause: 'overload' });
    for (let round = 0; round < 10; round += 1) await rig.deliverLoads();
    await Promise.all(facts);
  });

  it('drops what has waited so long that nobody waits for it', async () => {
    const rig = await Rig.following({ loadTimeoutMs: 5_000 });
    rig.store.holdLoads = true;
    for (let index = 0; index < 2; index += 1) void rig.resolve(`slow${index}`);
    const late = rig.resolve('late');
    await rig.time.advance(1_001);
    await rig.deliverLoads();
    expect(await late).toMatchObject({ cause: 'overload' });
    expect(rig.store.loads).toBe(2);
  });
});

describe('the circuit', () => {
  it('fails at once while the store is away, and tries it once a second', async () => {
    const rig = await Rig.following();
    rig.store.create('k1');
    rig.store.state = 'away';
    for (let index = 0; index < 100; index += 1) await rig.resolve(`k${index}`);
    expect(rig.store.loads).toBe(3);
    await rig.time.advance(1_000);
    await Promise.all([rig.resolve('x'), rig.resolve('y'), rig.resolve('z')]);
    expect(rig.store.loads).toBe(4);
    await rig.time.advance(1_000);
    rig.store.state = 'up';
    expect((await rig.resolve('k1')).kind).toBe('found');
    expect(rig.cache.lookups.stats().isCircuitOpen).toBe(false);
  });

  it('closes by itself once the store is back, although nobody asks', async () => {
    const rig = await Rig.following();
    rig.store.create('k1');
    rig.store.state = 'away';
    for (const digest of ['k2', 'k3', 'k4', 'k1']) await rig.resolve(digest);
    await rig.time.advance(5_000);
    expect(rig.cache.lookups.stats().isCircuitOpen).toBe(true);
    expect(rig.store.loads).toBe(3);
    rig.store.state = 'up';
    await rig.time.advance(1_500);
    expect(rig.cache.lookups.stats().isCircuitOpen).toBe(false);
    expect(rig.store.loads).toBe(4);
  });

  it('stays open while the store answers the follower and no lookup, which it tries once a second', async () => {
    const rig = await Rig.following();
    const { load } = rig.store.source;
    rig.store.source.load = () => Promise.reject(new StoreUnavailableError('canceled'));
    for (const digest of ['k1', 'k2', 'k3']) await rig.resolve(digest);
    const before = rig.outcomes.length;
    await rig.time.advance(10_000);
    expect(rig.cache.lookups.stats().isCircuitOpen).toBe(true);
    expect(rig.outcomes.length - before).toBeGreaterThanOrEqual(5);
    expect(rig.outcomes.length - before).toBeLessThanOrEqual(10);
    rig.store.source.load = load;
    await rig.time.advance(2_500);
    expect(rig.cache.lookups.stats().isCircuitOpen).toBe(false);
    const settledAt = rig.outcomes.length;
    await rig.time.advance(10_000);
    expect(rig.outcomes.length).toBe(settledAt);
  });

  it('keeps unknown keys from waiting for a store that swallows everything', async () => {
    const rig = await Rig.following();
    rig.store.state = 'silent';
    const waited: number[] = [];
    for (let index = 0; index < 100; index += 1) {
      const startedMs = rig.time.monoMs;
      void rig.resolve(`k${index}`, { client: `c${index}` }).then(() => {
        waited.push(rig.time.monoMs - startedMs);
      });
    }
    await rig.time.advance(2_000);
    expect(waited).toHaveLength(100);
    expect(Math.max(...waited)).toBe(2_000);
    expect(rig.cache.lookups.stats()).toEqual({
      running: 0,
      queued: 0,
      queuedRefreshes: 0,
      isCircuitOpen: true,
    });
    const startedMs = rig.time.monoMs;
    await rig.resolve('next');
    expect(rig.time.monoMs).toBe(startedMs);
  });

  it('costs no client its budget', async () => {
    const rig = await Rig.following({ missesPerClient: { perSecond: 1, burst: 5 } });
    rig.store.state = 'away';
    for (let index = 0; index < 50; index += 1) await rig.resolve(`k${index}`);
    await rig.time.advance(1_000);
    rig.store.state = 'up';
    const kinds: string[] = [];
    for (let index = 0; index < 4; index += 1) kinds.push((await rig.resolve(`n${index}`)).kind);
    expect(kinds).toEqual(['absent', 'absent', 'absent', 'unavailable']);
  });

  it('stays closed where two dead connections fail and the third answers', async () => {
    const rig = await Rig.following();
    rig.store.state = 'away';
    await Promise.all([rig.resolve('a'), rig.resolve('b')]);
    rig.store.state = 'up';
    expect((await rig.resolve('c')).kind).toBe('absent');
  });
});

describe('what is suspect', () => {
  async function suspectAndNamed() {
    const rig = await Rig.following();
    rig.store.create('suspect');
    rig.store.create('named');
    await rig.ask('suspect');
    await rig.ask('named');
    rig.store.commit('all', true);
    rig.store.change('named', { revokedAtMs: 1 });
    await rig.follow();
    return rig;
  }

  it('is loaded again before use', async () => {
    const rig = await suspectAndNamed();
    expect(rig.find('suspect')).toBeUndefined();
    const before = rig.store.loads;
    expect((await rig.resolve('suspect')).kind).toBe('found');
    expect(rig.store.loads).toBe(before + 1);
    expect(rig.find('suspect')).toBeDefined();
  });

  it.each(['away', 'silent'] as const)(
    'serves while the store is %s and within the window; what a change named does not',
    async (state) => {
      const rig = await suspectAndNamed();
      rig.store.state = state;
      const patienceMs = 200;
      const suspect = rig.resolve('suspect', { patienceMs });
      const named = rig.resolve('named', { patienceMs });
      await rig.time.advance(200);
      expect((await suspect).kind).toBe('found');
      expect(await named).toMatchObject({ cause: 'store' });
      expect(rig.cache.memory.stats().suspectsServed).toBe(1);
      await rig.time.advance(600_000);
      expect(await rig.resolve('suspect', { patienceMs: 0 })).toMatchObject({ cause: 'store' });
    },
  );

  it('does not serve because its caller has no time', async () => {
    const rig = await suspectAndNamed();
    rig.store.holdLoads = true;
    expect((await rig.resolve('suspect', { patienceMs: 0 })).kind).toBe('unavailable');
    const fact = rig.resolve('suspect', { patienceMs: 60 });
    await rig.time.advance(60);
    expect((await fact).kind).toBe('unavailable');
  });

  it('does not serve because a crowd of guesses fills the queue', async () => {
    const rig = await suspectAndNamed();
    rig.store.holdLoads = true;
    for (let index = 0; index < 40; index += 1) void rig.resolve(`guess${index}`);
    const fact = rig.resolve('suspect', { patienceMs: 200 });
    await rig.time.advance(150);
    await rig.deliverLoads();
    await rig.time.advance(50);
    expect(await fact).toMatchObject({ kind: 'unavailable', cause: 'overload' });
  });
});

describe('refreshes', () => {
  it('never make a hit wait, nor fail it, however slow the store is over a whole TTL', async () => {
    const rig = await Rig.following();
    rig.store.create('hot');
    await rig.ask('hot');
    await rig.follow();
    rig.store.holdLoads = true;
    for (let second = 0; second < 200; second += 1) {
      await rig.time.advance(1_000);
      expect(credentialOf(rig.find('hot')).subject.keyId).toBe('hot');
    }
    expect(rig.outcomes.filter((outcome) => outcome === 'unavailable').length).toBeGreaterThan(5);
    expect(rig.store.loadsAtOnceMax).toBe(1);
  });

  it('happen once per TTL for a hot key', async () => {
    const rig = await Rig.following();
    rig.store.create('hot');
    await rig.ask('hot');
    for (let tick = 0; tick < 6_000; tick += 1) {
      await rig.time.advance(100);
      rig.find('hot');
    }
    expect(rig.store.loads).toBeGreaterThanOrEqual(10);
    expect(rig.store.loads).toBeLessThanOrEqual(13);
  });

  it('bring what a lost change would have brought', async () => {
    const rig = await Rig.following();
    rig.store.create('k1');
    await rig.ask('k1');
    rig.store.change('k1', { revokedAtMs: 1 });
    const lost = rig.store.log.pop();
    expect(lost?.subject).toBe('key:k1');
    await rig.time.advance(66_000);
    rig.find('k1');
    await rig.time.advance(1);
    expect(credentialOf(rig.find('k1')).subject.revokedAtMs).toBe(1);
  });

  it('take one load at a time and give way to requests that wait', async () => {
    const rig = await Rig.following();
    for (let index = 0; index < 20; index += 1) {
      rig.store.create(`k${index}`);
      await rig.ask(`k${index}`);
    }
    await rig.time.advance(70_000);
    rig.store.holdLoads = true;
    for (let index = 0; index < 20; index += 1) rig.find(`k${index}`);
    await rig.time.advance(0);
    expect(rig.cache.lookups.stats()).toMatchObject({ running: 1, queued: 0, queuedRefreshes: 19 });
    const fact = rig.resolve('unknown');
    expect(rig.cache.lookups.stats()).toMatchObject({ running: 2, queued: 0, queuedRefreshes: 19 });
    await rig.deliverLoads();
    expect((await fact).kind).toBe('absent');
    expect(rig.cache.lookups.stats()).toMatchObject({ running: 1 });
  });

  it('are limited in number: a cache full of hot keys does not become a flood on the store', async () => {
    const rig = await Rig.following();
    for (let index = 0; index < 500; index += 1) {
      rig.store.create(`k${index}`);
      await rig.ask(`k${index}`);
      await rig.time.advance(20);
    }
    await rig.time.advance(70_000);
    const before = rig.store.loads;
    for (let index = 0; index < 500; index += 1) rig.find(`k${index}`);
    await rig.time.advance(10);
    expect(rig.store.loads - before).toBe(50);
  });

  it('are bounded while the store is slow', async () => {
    const rig = await Rig.following();
    rig.store.holdLoads = true;
    for (let index = 0; index < 180; index += 1) {
      rig.cache.lookups.refresh('api_key', digestOf(`k${index}`));
      await rig.time.advance(5);
    }
    expect(rig.cache.lookups.stats().queuedRefreshes).toBe(64);
  });

  it('are not asked of a store that is away', async () => {
    const rig = await Rig.following();
    rig.store.create('k1');
    await rig.ask('k1');
    rig.store.state = 'away';
    for (let index = 0; index < 3; index += 1) await rig.resolve(`k${index + 2}`);
    await rig.time.advance(500);
    const before = rig.store.loads;
    rig.cache.lookups.refresh('api_key', credentialOf(rig.find('k1')).digest);
    await rig.time.advance(10);
    expect(rig.store.loads).toBe(before);
  });

  it('turn into a lookup when somebody has to wait for them', async () => {
    const rig = await Rig.following();
    rig.store.create('k1');
    await rig.ask('k1');
    rig.store.holdLoads = true;
    void rig.resolve('busy1');
    void rig.resolve('busy2');
    rig.cache.lookups.refresh('api_key', credentialOf(rig.find('k1')).digest);
    rig.store.commit('all', false);
    await rig.follow();
    const fact = rig.resolve('k1');
    expect(rig.cache.lookups.stats()).toMatchObject({ queued: 1, queuedRefreshes: 0 });
    // The two before it are fenced by the change of all and loaded twice.
    for (let round = 0; round < 3; round += 1) await rig.deliverLoads();
    expect((await fact).kind).toBe('found');
  });

  it('stay refreshes where the queue has no room', async () => {
    const rig = await Rig.following({ queueMax: 1 });
    rig.store.holdLoads = true;
    for (const busy of ['a', 'b', 'c']) void rig.resolve(busy, { client: busy });
    rig.cache.lookups.refresh('api_key', digestOf('k1'));
    void rig.resolve('k1');
    expect(rig.cache.lookups.stats()).toMatchObject({ queued: 1, queuedRefreshes: 1 });
  });
});
