import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createKeyAdminStore } from '../../../src/postgres/key-admin-store.ts';
import { keyId, newKey, seedOrganization } from '../../support/accounts.ts';
import { startTestPostgres, type TestPostgres } from '../../support/postgres.ts';
import type { TcpProxy } from '../../support/tcp-proxy.ts';
import { until } from '../../support/until.ts';
import { Replica, type ReplicaOptions } from './replica.ts';

/*
 * A store that is away in each of the ways that a real one can be: gone, stopped, and worst of all silent, on the pool's
 * connections, the listener's, or both.
 */
const context = { actor: 'test', signal: AbortSignal.timeout(600_000) };

/** A lookup's answer comes within the caller's patience; the rest is the machine's, which other tests share. */
const ANSWER_MS_MAX = 2_000;

let postgres: TestPostgres;
let proxy: TcpProxy;
let url: string;
let replica: Replica | undefined;
let round = 0;
let known = '';

beforeAll(async () => {
  // What is committed survives the kill.
  postgres = await startTestPostgres({ settings: ['synchronous_commit=on'] });
  const database = postgres.database();
  await seedOrganization(database);
  await database.close();
  ({ proxy, url } = await postgres.proxy());
});

afterAll(() => postgres.close());

beforeEach(async () => {
  round += 1;
  known = `known${round}`;
  const database = postgres.database();
  const created = await createKeyAdminStore(database).create(newKey(known), context);
  expect(created.kind).toBe('created');
  await database.close();
});

afterEach(async () => {
  proxy.setMode('pass');
  await postgres.resume();
  await replica?.stop();
  replica = undefined;
});

async function start(options: ReplicaOptions = {}): Promise<Replica> {
  replica = new Replica(postgres, options);
  await replica.start();
  const one = replica;
  await until('the known key', async () => (await one.answer(known)) === 'valid');
  return one;
}

async function revokeKnown(): Promise<void> {
  const database = postgres.database();
  await createKeyAdminStore(database).revoke(keyId(known), context);
  await database.close();
}

/** For a while: hits go on without waiting, unknown keys are an outage and soon told so, none is refused. */
async function expectOutage(one: Replica, forMs: number): Promise<void> {
  // A server that was killed leaves processes that finish what they were asked.
  await until('away', async () => (await one.answer(`first${round}`)) === 'unavailable', 2_000);
  const endMs = performance.now() + forMs;
  for (let guess = 0; performance.now() < endMs; guess += 1) {
    // Synchronous: a hit has nothing to wait for.
    expect(one.find(known)).toBe('valid');
    const miss = await one.ask(`unknown${round}-${guess}`, `client${guess}`);
    expect(miss.answer).toBe('unavailable');
    expect(miss.waitedMs).toBeLessThan(ANSWER_MS_MAX);
  }
}

async function expectRecovery(one: Replica): Promise<void> {
  await until('unknown keys are absent again', async () => {
    return (await one.answer(`after${round}`)) === 'absent';
  });
  await revokeKnown();
  await until('changes are followed again', async () => (await one.answer(known)) === 'revoked');
}

describe('while Postgres', () => {
  it('is killed and started again', async () => {
    const one = await start();
    await postgres.kill();
    await expectOutage(one, 2_500);
    await postgres.start();
    await expectRecovery(one);
  });

  it('restarts, nothing becomes suspect: it is the same history', async () => {
    const one = await start();
    await postgres.restart();
    await until('listening again', () => one.cache.follower.state().connected);
    const reads = one.loads;
    expect(one.find(known)).toBe('valid');
    expect(one.loads).toBe(reads);
    await expectRecovery(one);
  });

  it('is stopped by SIGSTOP: connections stay open and nothing answers', async () => {
    const one = await start();
    await postgres.pause();
    await expectOutage(one, 2_500);
    await postgres.resume();
    await expectRecovery(one);
  });

  it('is behind a black hole, for pool and listener', async () => {
    const one = await start({ url, listenUrl: url });
    proxy.setMode('blackhole');
    await expectOutage(one, 2_500);
    proxy.setMode('pass');
    await expectRecovery(one);
  });

  it('is behind a black hole for the pool alone: hints do not help, and do no harm', async () => {
    const one = await start({ url });
    proxy.setMode('blackhole');
    await revokeKnown();
    await expectOutage(one, 2_500);
    proxy.setMode('pass');
    await until('revoked', async () => (await one.answer(known)) === 'revoked');
  });

  it('cuts off its connections without a word (half open), it is asked on new ones', async () => {
    const one = await start({ url, listenUrl: url });
    proxy.setMode('cut');
    await expectRecovery(one);
  });
});

it('a hot key never waits over several TTLs while the store is silent', async () => {
  const one = await start({ url, listenUrl: url, settings: { ttlMs: 300 } });
  proxy.setMode('blackhole');
  const endMs = performance.now() + 2_000;
  let hits = 0;
  while (performance.now() < endMs) {
    expect(one.find(known)).toBe('valid');
    hits += 1;
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(hits).toBeGreaterThan(1_000);
  expect(one.cache.memory.stats().staleHits).toBeGreaterThan(0);
});

it('a replica that is blind for longer than the window answers 503 by itself, and recovers', async () => {
  const one = await start({ url, settings: { staleWindowMs: 1_500 } });
  proxy.setMode('refuse');
  expect(await one.answer(known)).toBe('valid');
  await until('blind', async () => (await one.answer(known)) === 'unavailable', 4_000);
  await revokeKnown();
  expect(await one.answer(known)).toBe('unavailable');
  proxy.setMode('pass');
  await until('revoked', async () => (await one.answer(known)) === 'revoked');
});
