import { describe, expect, it } from 'vitest';
import { PrincipalCache } from '../../../src/cache/principal-cache.ts';
import type { Change, StorePosition } from '../../../src/model/change.ts';
import type { KeyId, SubjectId } from '../../../src/model/ids.ts';
import type { Subject } from '../../../src/model/subject.ts';
import { CACHE_SETTINGS } from '../../support/cache-settings.ts';
import { digestOf, subjectOf } from './memory-store.ts';
import { credentialOf } from './rig.ts';

const HEAD: StorePosition = { epoch: 'e1', version: 10 };

/** A cache that follows from HEAD on, at time 0, without a store. */
function followedCache(options: { credentialsMax?: number } = {}) {
  const due: string[] = [];
  const cache = new PrincipalCache({
    ...CACHE_SETTINGS,
    ...options,
    random: () => 0.5,
    onRefreshDue: (_kind, digest) => due.push(digest),
  });
  cache.adopt(HEAD);
  cache.confirm(0);
  const at = (monoMs: number) => ({ wallMs: monoMs, monoMs });
  return {
    cache,
    due,
    find: (digest: string, monoMs = 0) => cache.find('api_key', digestOf(digest), at(monoMs)),
    lastResort: (digest: string, monoMs: number) =>
      cache.lastResort('api_key', digestOf(digest), at(monoMs)),
    load: (digest: string, subject: Subject, { version = HEAD.version, monoMs = 0 } = {}) =>
      cache.admit({
        kind: 'api_key',
        digest: digestOf(digest),
        loaded: { kind: 'found', subject, secretExpiresAtMs: null, at: { ...HEAD, version } },
        ticket: cache.ticket(at(monoMs)),
      }),
    loadAbsent: (digest: string, { version = HEAD.version, monoMs = 0 } = {}) =>
      cache.admit({
        kind: 'api_key',
        digest: digestOf(digest),
        loaded: { kind: 'absent', at: { ...HEAD, version } },
        ticket: cache.ticket(at(monoMs)),
      }),
    change: (id: string, version: number, created = false) =>
      cache.apply(changeOf(`key:${id}` as SubjectId, version, created)),
    changeAll: (version: number) => cache.apply(changeOf('all', version, true)),
  };
}

const changeOf = (subject: SubjectId | 'all', version: number, created: boolean): Change => ({
  version,
  nonce: `n${version}`,
  subject,
  created,
});

describe('a hit', () => {
  it('gives the same object every time, and the same subject with what the policy made of it', () => {
    const { load, find } = followedCache();
    load('a', subjectOf('k1'));
    const first = credentialOf(find('a'));
    expect(find('a')).toBe(first);
    expect(credentialOf(find('a')).subject).toBe(first.subject);
  });

  it('keeps the subject object when a refresh brings the same content, so that nothing derived is lost', () => {
    const { load, find } = followedCache();
    load('a', subjectOf('k1', { allowedCidrs: [{ words: [1], prefixBits: 16 }] }));
    const { subject } = credentialOf(find('a'));
    load('a', subjectOf('k1', { allowedCidrs: [{ words: [1], prefixBits: 16 }] }), { version: 12 });
    expect(credentialOf(find('a')).subject).toBe(subject);
  });

  it('shares scopes, plans and organizations between subjects', () => {
    const { load, find } = followedCache();
    load('a', subjectOf('k1', { scopes: ['read', 'write'] }));
    load('b', subjectOf('k2', { scopes: ['read', 'write'] }));
    expect(credentialOf(find('a')).subject.scopes).toBe(credentialOf(find('b')).subject.scopes);
  });

  it('returns a key that is revoked, disabled or expired as it is: refusing it is the decision', () => {
    const { load, find } = followedCache();
    load('a', subjectOf('k1', { revokedAtMs: 5, disabledAtMs: 4, expiresAtMs: 3 }));
    expect(credentialOf(find('a', 500_000)).subject).toMatchObject({ revokedAtMs: 5 });
  });
});

describe('two levels', () => {
  it('drops every secret of a subject that a change names, and no other', () => {
    const { load, change, find, cache } = followedCache();
    load('old', subjectOf('k1'));
    load('new', subjectOf('k1'));
    load('other', subjectOf('k2'));
    change('k1', 11);
    expect([find('old'), find('new')]).toEqual([undefined, undefined]);
    expect(credentialOf(find('other')).subject.keyId).toBe('k2');
    expect(cache.stats()).toMatchObject({ credentials: 1, subjects: 1 });
  });

  it('keeps what was read at the change or after it', () => {
    const { load, change, find } = followedCache();
    load('a', subjectOf('k1', { revokedAtMs: 7 }), { version: 12 });
    change('k1', 11);
    change('k1', 12);
    expect(credentialOf(find('a')).subject.revokedAtMs).toBe(7);
    change('k1', 13);
    expect(find('a')).toBeUndefined();
  });

  it('drops a secret that was read before the change even where its subject was read after it', () => {
    const { load, change, find } = followedCache();
    load('old secret', subjectOf('k1'), { version: 10 });
    load('new secret', subjectOf('k1'), { version: 11 });
    change('k1', 11);
    expect(find('old secret')).toBeUndefined();
    expect(find('new secret')).toBeDefined();
  });

  it('shows through all secrets what was read last through any of them', () => {
    const { load, find } = followedCache();
    load('old', subjectOf('k1'), { version: 11 });
    load('new', subjectOf('k1', { plan: 'pro' }), { version: 13 });
    expect(credentialOf(find('old')).subject.plan).toBe('pro');
    load('third', subjectOf('k1', { plan: 'stale' }), { version: 12 });
    expect(credentialOf(find('old')).subject.plan).toBe('pro');
  });

  it('does not let an earlier read of a credential replace a later one', () => {
    const { load, loadAbsent, find } = followedCache();
    load('a', subjectOf('k1', { revokedAtMs: 7 }), { version: 13 });
    expect(credentialOf(fact(load('a', subjectOf('k1'), { version: 12 }))).subject).toMatchObject({
      revokedAtMs: 7,
    });
    expect(loadAbsent('a', { version: 12 }).kind).toBe('found');
    expect(credentialOf(find('a')).subject.revokedAtMs).toBe(7);
  });

  it('forgets a subject with its last credential: neither level outgrows the other', () => {
    const { load, cache } = followedCache({ credentialsMax: 100 });
    for (let index = 0; index < 1_000; index += 1) load(`d${index}`, subjectOf(`k${index}`));
    expect(cache.stats()).toMatchObject({ credentials: 100, subjects: 100, evictions: 900 });
  });

  it('keeps no more than eight credentials of one subject, the newest', () => {
    const { load, find, cache } = followedCache();
    for (let index = 0; index < 50; index += 1) load(`d${index}`, subjectOf('k1'));
    expect(cache.stats()).toMatchObject({ credentials: 8, subjects: 1 });
    expect(find('d41')).toBeUndefined();
    expect(find('d42')).toBeDefined();
  });

  it('moves a digest to the subject that it belongs to now', () => {
    const { load, change, find, cache } = followedCache();
    load('a', subjectOf('k1'));
    load('a', subjectOf('k2'));
    change('k1', 11);
    expect(credentialOf(find('a')).subject.keyId).toBe('k2');
    expect(cache.stats()).toMatchObject({ credentials: 1, subjects: 1 });
  });

  it('evicts what was used longest ago', () => {
    const { load, find } = followedCache({ credentialsMax: 2 });
    load('a', subjectOf('k1'));
    load('b', subjectOf('k2'));
    find('a');
    load('c', subjectOf('k3'));
    expect(find('b')).toBeUndefined();
    expect(find('a')).toBeDefined();
  });
});

describe('fences', () => {
  const revoked = subjectOf('k1', { revokedAtMs: 7 });

  it('refuses a load that was read before the last applied change of its subject', () => {
    const { load, change, find } = followedCache();
    change('k1', 12);
    expect(load('a', subjectOf('k1'), { version: 11 }).kind).toBe('behind');
    expect(find('a')).toBeUndefined();
    expect(load('a', revoked, { version: 12 }).kind).toBe('found');
  });

  it('refuses an absence that was read before the last applied creation', () => {
    const { loadAbsent, change, find } = followedCache();
    change('k1', 12, true);
    expect(loadAbsent('a', { version: 11 }).kind).toBe('behind');
    expect(find('a')).toBeUndefined();
    expect(loadAbsent('a', { version: 12 }).kind).toBe('absent');
    change('k2', 13);
    expect(loadAbsent('b', { version: 12 }).kind).toBe('absent');
  });

  it('refuses every load that was read before a change of all', () => {
    const { load, loadAbsent, changeAll } = followedCache();
    changeAll(12);
    expect(load('a', subjectOf('k1'), { version: 11 }).kind).toBe('behind');
    expect(loadAbsent('b', { version: 11 }).kind).toBe('behind');
    expect(load('a', subjectOf('k1'), { version: 12 }).kind).toBe('found');
  });

  it('refuses a load that was read before the position from which changes are followed', () => {
    const { load } = followedCache();
    expect(load('a', subjectOf('k1'), { version: 9 }).kind).toBe('behind');
  });

  it('refuses a load that began in another history, or comes from one', () => {
    const { cache, load } = followedCache();
    const ticket = cache.ticket({ wallMs: 0, monoMs: 0 });
    const finished = {
      kind: 'api_key',
      digest: digestOf('a'),
      loaded: {
        kind: 'found',
        subject: subjectOf('k1'),
        secretExpiresAtMs: null,
        at: { epoch: 'e1', version: 99 },
      },
      ticket,
    } as const;
    cache.loseHistory();
    expect(cache.admit(finished).kind).toBe('behind');
    cache.adopt({ epoch: 'e2', version: 3 });
    expect(cache.admit(finished).kind).toBe('behind');
    expect(load('a', subjectOf('k1'), { version: 99 }).kind).toBe('foreign');
  });

  it('still holds when more changes were applied than fences are kept by name', () => {
    const { load, change } = followedCache();
    for (let index = 0; index < 10_050; index += 1) change(`k${index}`, 11 + index);
    expect(load('a', subjectOf('k0'), { version: 10 }).kind).toBe('behind');
    expect(load('b', subjectOf('unchanged'), { version: 10 }).kind).toBe('behind');
    expect(load('a', subjectOf('k0'), { version: 10_060 }).kind).toBe('found');
  });
});

describe('freshness', () => {
  it('confirms the whole cache by the follower, for as long as it reads', () => {
    const { load, find, cache } = followedCache();
    load('a', subjectOf('k1'));
    cache.confirm(5_000_000);
    expect(find('a', 5_600_000)).toBeDefined();
    expect(find('a', 5_600_001)).toBeUndefined();
  });

  it('takes what was loaded meanwhile as fresh from its own load on', () => {
    const { load, find } = followedCache();
    load('a', subjectOf('k1'), { monoMs: 300_000 });
    expect(find('a', 900_000)).toBeDefined();
    expect(find('a', 900_001)).toBeUndefined();
  });

  it('asks for a refresh once past the TTL, and serves all the while', () => {
    const { load, find, due, cache } = followedCache();
    load('a', subjectOf('k1'));
    find('a', 59_999);
    expect(due).toEqual([]);
    for (let monoMs = 60_000; monoMs < 67_000; monoMs += 100) {
      cache.confirm(monoMs);
      expect(find('a', monoMs)).toBeDefined();
    }
    expect(due).toEqual([digestOf('a')]);
    find('a', 67_500);
    expect(due).toHaveLength(2);
  });

  it('counts hits that nothing has confirmed for longer than the TTL', () => {
    const { load, find, cache } = followedCache();
    load('a', subjectOf('k1'));
    find('a', 60_000);
    find('a', 60_001);
    expect(cache.stats()).toMatchObject({ hits: 2, staleHits: 1 });
  });

  it.each<[string, (cache: PrincipalCache) => void]>([
    ['a change of all', (cache) => cache.apply(changeOf('all', 11, true))],
    ['a gap', (cache) => cache.gap(15)],
    ['a loss of history', (cache) => cache.loseHistory()],
    [
      'another history',
      (cache) => {
        cache.loseHistory();
        cache.adopt({ epoch: 'e2', version: 10 });
      },
    ],
  ])('after %s everything has to be loaded again, and serves only as the last resort', (_, hit) => {
    const { load, find, lastResort, cache } = followedCache();
    load('a', subjectOf('k1'));
    cache.confirm(100_000);
    hit(cache);
    cache.confirm(200_000);
    expect(find('a', 200_000)).toBeUndefined();
    expect(lastResort('a', 700_000)).toBeDefined();
    expect(lastResort('a', 700_001)).toBeUndefined();
  });

  it('counts the window of what is suspect twice over from its load', () => {
    const { load, lastResort, cache, changeAll } = followedCache();
    load('a', subjectOf('k1'));
    cache.confirm(100_000);
    changeAll(11);
    cache.confirm(200_000);
    changeAll(12);
    expect(lastResort('a', 600_000)).toBeDefined();
    expect(lastResort('a', 600_001)).toBeUndefined();
  });

  it('never serves what a change has named, as the last resort neither', () => {
    const { load, change, changeAll, lastResort } = followedCache();
    load('a', subjectOf('k1'));
    load('b', subjectOf('k2'));
    changeAll(11);
    change('k1', 12);
    expect(lastResort('a', 0)).toBeUndefined();
    expect(lastResort('b', 0)).toBeDefined();
  });

  it('vouches for nothing that was loaded while no history was followed', () => {
    const { cache, load, loadAbsent, find } = followedCache();
    cache.loseHistory();
    expect(load('a', subjectOf('k1')).kind).toBe('found');
    expect(loadAbsent('b').kind).toBe('absent');
    expect([find('a'), find('b')]).toEqual([undefined, undefined]);
    cache.adopt(HEAD);
    expect([find('a'), find('b')]).toEqual([undefined, undefined]);
  });
});

describe('absences', () => {
  it('are remembered for ten seconds', () => {
    const { loadAbsent, find, cache } = followedCache();
    loadAbsent('a');
    cache.confirm(9_999);
    expect(find('a', 9_999)).toBe('absent');
    cache.confirm(10_000);
    expect(find('a', 10_000)).toBeUndefined();
  });

  it('are believed for three seconds only once the follower no longer reads: an outage is no refusal', () => {
    const { loadAbsent, find } = followedCache();
    loadAbsent('a');
    expect(find('a', 2_999)).toBe('absent');
    expect(find('a', 3_000)).toBeUndefined();
  });

  it.each<[string, (cache: PrincipalCache) => void]>([
    ['a key is created', (cache) => cache.apply(changeOf('key:x' as SubjectId, 11, true))],
    ['all may have changed', (cache) => cache.apply(changeOf('all', 11, false))],
    ['changes were missed', (cache) => cache.gap(12)],
    ['history is lost', (cache) => cache.loseHistory()],
  ])('are forgotten when %s', (_, happen) => {
    const { loadAbsent, find, cache } = followedCache();
    loadAbsent('a');
    happen(cache);
    expect(find('a')).toBeUndefined();
  });

  it('outlive changes that create nothing', () => {
    const { loadAbsent, find, change } = followedCache();
    loadAbsent('a');
    change('k1', 11, false);
    expect(find('a')).toBe('absent');
  });

  it('end what was known of a credential, and are ended by it', () => {
    const { load, loadAbsent, find } = followedCache();
    load('a', subjectOf('k1'));
    loadAbsent('a', { version: 11 });
    expect(find('a')).toBe('absent');
    load('a', subjectOf('k1'), { version: 12 });
    expect(credentialOf(find('a')).subject.keyId).toBe('k1' as KeyId);
  });
});

function fact(admission: ReturnType<PrincipalCache['admit']>) {
  if (admission.kind === 'behind' || admission.kind === 'foreign') throw new Error(admission.kind);
  return admission;
}
