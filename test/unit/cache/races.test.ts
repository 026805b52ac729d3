import { describe, expect, it } from 'vitest';
import { settled } from './fake-time.ts';
import { credentialOf, Rig } from './rig.ts';

/** Each race has a barrier between the reading of a row and its arrival: nothing here depends on how fast anything is. */
describe('revoked while its row is being loaded', () => {
  it('the late row is not used, not even for the request that waited for it', async () => {
    const rig = await Rig.following();
    rig.store.create('k1');
    await rig.follow();
    rig.store.holdLoads = true;
    const waiting = rig.resolve('k1');
    rig.store.change('k1', { revokedAtMs: 1 });
    await rig.follow();
    await rig.deliverLoads();
    expect(rig.find('k1')).toBeUndefined();
    await rig.deliverLoads();
    expect(credentialOf(await waiting).subject.revokedAtMs).toBe(1);
    expect(credentialOf(rig.find('k1')).subject.revokedAtMs).toBe(1);
    expect(rig.outcomes).toEqual(['fenced', 'found']);
  });

  it('a late refresh does not restore it', async () => {
    const rig = await Rig.following();
    rig.store.create('k1');
    const { digest } = credentialOf(await rig.ask('k1'));
    await rig.follow();
    rig.store.holdLoads = true;
    rig.cache.lookups.refresh('api_key', digest);
    await rig.time.advance(0);
    rig.store.change('k1', { revokedAtMs: 1 });
    await rig.follow();
    expect(rig.find('k1')).toBeUndefined();
    await rig.deliverLoads();
    expect(rig.find('k1')).toBeUndefined();
    await rig.deliverLoads();
    expect(credentialOf(rig.find('k1')).subject.revokedAtMs).toBe(1);
  });

  it('a change of all fences it as well', async () => {
    const rig = await Rig.following();
    rig.store.create('k1');
    await rig.follow();
    rig.store.holdLoads = true;
    const waiting = rig.resolve('k1');
    rig.store.subjects.set(credential().id, { ...credential(), revokedAtMs: 1 });
    rig.store.commit('all', false);
    await rig.follow();
    await rig.deliverLoads();
    await rig.deliverLoads();
    expect(credentialOf(await waiting).subject.revokedAtMs).toBe(1);

    function credential() {
      const subject = [...rig.store.subjects.values()][0];
      if (subject === undefined) throw new Error('no key');
      return subject;
    }
  });

  it('and so does a failover in between', async () => {
    const rig = await Rig.following();
    rig.store.create('k1');
    await rig.follow();
    rig.store.holdLoads = true;
    const waiting = rig.resolve('k1');
    rig.store.change('k1', { revokedAtMs: 1 });
    rig.store.newHistory('e2', 1);
    await rig.follow();
    await rig.deliverLoads();
    await rig.deliverLoads();
    expect(credentialOf(await waiting).subject.revokedAtMs).toBe(1);
  });
});

describe('created right after its first failed try', () => {
  it('it works at once, for the absence falls with the hint', async () => {
    const rig = await Rig.following();
    expect(await rig.ask('k1')).toBe('absent');
    rig.store.create('k1');
    expect(await rig.ask('k1')).toBe('absent');
    rig.store.hint();
    await rig.time.advance(20);
    expect(credentialOf(await rig.ask('k1')).subject.keyId).toBe('k1');
  });

  it('it works within two seconds where no notification arrives', async () => {
    const rig = await Rig.following();
    expect(await rig.ask('k1')).toBe('absent');
    rig.store.create('k1');
    await rig.time.advance(1_200);
    expect(credentialOf(await rig.ask('k1')).subject.keyId).toBe('k1');
  });

  it('an absence that was read before the creation and arrives after it is not used', async () => {
    const rig = await Rig.following();
    rig.store.holdLoads = true;
    const waiting = rig.resolve('k1');
    rig.store.create('k1');
    await rig.follow();
    await rig.deliverLoads();
    await rig.deliverLoads();
    expect((await waiting).kind).toBe('found');
    expect(rig.find('k1')).toBeDefined();
  });

  it('a second secret of a key works at once as well', async () => {
    const rig = await Rig.following();
    rig.store.create('k1', ['old']);
    await rig.ask('old');
    expect(await rig.ask('new')).toBe('absent');
    rig.store.create('k1', ['old', 'new']);
    await rig.follow();
    expect(credentialOf(await rig.ask('new')).subject.keyId).toBe('k1');
  });
});

describe('listening cut', () => {
  it('a revocation in the gap takes effect when listening is back', async () => {
    const rig = await Rig.following();
    rig.store.create('k1');
    await rig.ask('k1');
    rig.store.listening(true);
    await rig.time.advance(50);
    rig.store.listening(false);
    rig.store.change('k1', { revokedAtMs: 1 });
    rig.store.listening(true);
    await settled();
    expect(credentialOf(await rig.ask('k1')).subject.revokedAtMs).toBe(1);
  });

  it('half open (no event, no hint): the poll brings it within two seconds', async () => {
    const rig = await Rig.following();
    rig.store.create('k1');
    rig.store.listening(true);
    await rig.ask('k1');
    rig.store.change('k1', { revokedAtMs: 1 });
    await rig.time.advance(1_200);
    expect(credentialOf(await rig.ask('k1')).subject.revokedAtMs).toBe(1);
  });
});

describe('the store away', () => {
  it('known keys go on for the stale window, then even they are an outage; unknown ones at once', async () => {
    const rig = await Rig.following();
    rig.store.create('known');
    await rig.ask('known');
    rig.store.state = 'away';
    await rig.time.advance(599_000);
    expect(credentialOf(await rig.ask('known')).subject.keyId).toBe('known');
    expect(await rig.ask('unknown')).toMatchObject({ kind: 'unavailable', cause: 'store' });
    await rig.time.advance(2_000);
    expect(await rig.ask('known')).toMatchObject({ kind: 'unavailable', cause: 'store' });
    rig.store.state = 'up';
    await rig.time.advance(1_200);
    expect(credentialOf(await rig.ask('known')).subject.keyId).toBe('known');
    expect(await rig.ask('unknown')).toBe('absent');
  });

  it('a key that was known to be absent becomes an outage, not a refusal', async () => {
    const rig = await Rig.following();
    expect(await rig.ask('unknown')).toBe('absent');
    rig.store.state = 'away';
    await rig.time.advance(4_000);
    expect(await rig.ask('unknown')).toMatchObject({ kind: 'unavailable', cause: 'store' });
  });

  it('a key that was revoked in the last moment before stays refused', async () => {
    const rig = await Rig.following();
    rig.store.create('k1');
    await rig.ask('k1');
    rig.store.change('k1', { revokedAtMs: 1 });
    await rig.follow();
    rig.store.state = 'away';
    expect(await rig.ask('k1')).toMatchObject({ kind: 'unavailable', cause: 'store' });
    await rig.time.advance(60_000);
    expect(await rig.ask('k1')).toMatchObject({ kind: 'unavailable', cause: 'store' });
  });

  it('its changes meanwhile take effect when it is back, before any confirmation', async () => {
    const rig = await Rig.following();
    rig.store.create('k1');
    await rig.ask('k1');
    rig.store.state = 'away';
    await rig.time.advance(30_000);
    rig.store.change('k1', { revokedAtMs: 1 });
    expect(credentialOf(rig.find('k1')).subject.revokedAtMs).toBeNull();
    rig.store.state = 'up';
    await rig.time.advance(1_200);
    expect(rig.store.confirmed.at(-1)).toEqual(rig.store.position);
    expect(rig.find('k1')).toBeUndefined();
  });

  it('a failover to a history without the last changes makes everything be loaded again', async () => {
    const rig = await Rig.following();
    rig.store.create('k1');
    await rig.ask('k1');
    rig.store.newHistory('e2', 1);
    await rig.follow();
    expect(rig.find('k1')).toBeUndefined();
    expect(credentialOf(await rig.ask('k1')).subject.keyId).toBe('k1');
    expect(rig.find('k1')).toBeDefined();
  });

  it('a load that meets the new history before the follower does makes the follower look', async () => {
    const rig = await Rig.following();
    rig.store.create('k1');
    await rig.time.advance(100);
    rig.store.newHistory('e2', 1);
    await rig.resolve('k1');
    await rig.time.advance(20);
    expect(rig.cache.follower.state().position).toEqual({ epoch: 'e2', version: 1 });
    expect(credentialOf(await rig.ask('k1')).subject.keyId).toBe('k1');
  });
});
