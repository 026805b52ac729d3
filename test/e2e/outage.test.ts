import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { DEFAULT_KEY_FORMAT } from '../../src/key-text/key-format.ts';
import { mintKey } from '../../src/key-text/mint.ts';
import { type Stack, startStack } from '../support/e2e-stack.ts';
import { startEnvoy, type TestEnvoy } from '../support/envoy.ts';
import type { HttpResponse } from '../support/http-clients.ts';
import { type Sidecar, startSidecar } from '../support/sidecar.ts';
import { until } from '../support/until.ts';

/*
 * Postgres stopped, frozen and unreachable; latchkey itself away. What memory knows goes on, what it does not know is an outage
 * (503) and never a refusal, and afterwards everything comes back by itself. Real processes: signals, sockets and pools are
 * what fails here.
 */

let stack: Stack;
let envoy: TestEnvoy;

beforeAll(async () => {
  // So short a TTL that every outage below outlasts it.
  stack = await startStack({ variables: { LATCHKEY_CACHE_TTL: '1s' } });
  envoy = await stack.addEnvoy();
});
/** What a test that fails halfway leaves behind is not to fail the others. */
afterEach(async () => {
  const { postgres } = stack;
  await postgres.resume();
  await postgres.sql('SELECT 1').catch(() => postgres.start());
});
afterAll(() => stack?.stop());

const ask = (text: string, via: TestEnvoy = envoy, path = '/v1/read'): Promise<HttpResponse> =>
  via.request({ path, headers: [['x-api-key', text]] });
const statusOf = async (text: string, via: TestEnvoy = envoy): Promise<number> =>
  (await ask(text, via)).status;

/** Right in form and unknown to all: only Postgres could say. */
const unknownKey = (): string => mintKey(DEFAULT_KEY_FORMAT, 'live', randomBytes).text;

/** A key that memory knows. */
async function warmKey(via: TestEnvoy = envoy): Promise<string> {
  const { text } = await stack.keys.create();
  expect(await statusOf(text, via)).toBe(200);
  return text;
}

/** 503 with everything that a client needs to come back; Envoy's own and latchkey's look alike. */
function expectOutage(response: HttpResponse): void {
  expect(response.status).toBe(503);
  expect(Number(response.header('retry-after'))).toBeGreaterThanOrEqual(1);
  expect(response.header('content-type')).toBe('application/problem+json');
  expect(response.header('cache-control')).toBe('no-store');
  expect(response.json()).toMatchObject({ status: 503, code: 'temporarily_unavailable' });
  expect(response.values('www-authenticate')).toEqual([]);
}

/** Asks again and again until the status is this one; no other may come but those of `meanwhile`. */
async function comesTo(status: number, text: string, meanwhile: readonly number[]): Promise<void> {
  await until(`status ${status}`, async () => {
    const seen = await statusOf(text);
    expect([status, ...meanwhile]).toContain(seen);
    return seen === status;
  });
}

it('Postgres stopped: what is known works, what is unknown is 503, and all recovers', async () => {
  const { postgres, sidecar, keys } = stack;
  const known = await warmKey();
  const revoked = await keys.create();
  await statusOf(revoked.text);
  await keys.revoke(revoked.id);
  await comesTo(401, revoked.text, [200]);
  const revokedUnseen = await keys.create();
  await statusOf(revokedUnseen.text);
  await keys.revoke(revokedUnseen.id);
  await caughtUp(stack);

  await postgres.stop();
  const unknown = await ask(unknownKey());
  expectOutage(unknown);
  expect(unknown.json()['decision_id']).toEqual(expect.any(String));
  expect(await statusOf(known)).toBe(200);
  expect(await statusOf(revoked.text)).toBe(401);
  // Known to be revoked, or no longer known: never allowed.
  expect([401, 503]).toContain(await statusOf(revokedUnseen.text));
  expect(await statusOf(`${known}x`)).toBe(401);
  const { code } = await envoy.grpcRequest({ headers: [['x-api-key', unknownKey()]] });
  expect(code).toBe(14);
  expect((await ask(unknownKey(), envoy, '/v1/hidden/x')).status).toBe(404);
  expect((await ask(known, envoy, '/v1/admin')).status).toBe(403);

  await sidecar.reached('degraded');
  expect(await sidecar.readyz()).toEqual({ status: 200, state: 'degraded' });
  await envoy.whenHealthy(1);
  expect(await statusOf(known)).toBe(200);
  for (let count = 0; count < 20; count += 1) expectOutage(await ask(unknownKey()));

  await postgres.start();
  const { text: fresh } = await keys.create();
  await comesTo(200, fresh, [503]);
  await comesTo(401, unknownKey(), [503]);
  expect(await statusOf(known)).toBe(200);
  await sidecar.reached('ready');
});

/** Resolves when the sidecar has seen every change so far. */
async function caughtUp({ postgres, sidecar }: Stack): Promise<void> {
  const [newest] = await postgres.sql<{ version: number }>(
    'SELECT version::float8 FROM latchkey.change_version',
  );
  await until('the sidecar has seen every change', async () => {
    return (await sidecar.metric('latchkey_follower_version')) >= (newest?.version ?? 0);
  });
}

it('Postgres frozen: known keys wait for nothing, over a whole TTL', async () => {
  const { postgres, sidecar } = stack;
  const known = await warmKey();
  const fromMemory = () =>
    sidecar.metric('latchkey_check_duration_seconds_count{answered_from="memory"}');
  const before = await measure(known, 100);

  await postgres.pause();
  // The unknown key hangs in a lookup; what is known overtakes it.
  const order: string[] = [];
  const hanging = ask(unknownKey()).then((response) => {
    order.push('unknown');
    return response;
  });
  for (let count = 0; count < 10; count += 1) expect(await statusOf(known)).toBe(200);
  order.push('known');
  expectOutage(await hanging);
  expect(order).toEqual(['known', 'unknown']);

  const answered = await fromMemory();
  const during = await measure(known, 100);
  // Past its TTL the key is refreshed in the background, for which nobody waits.
  const stale = () => sidecar.metric('latchkey_cache_stale_hits_total');
  const staleBefore = await stale();
  let count = 100;
  await until('hits on entries past their TTL', async () => {
    const seen = await measure(known, 10);
    count += 10;
    during.push(...seen);
    return (await stale()) - staleBefore > 50;
  });
  expect((await fromMemory()) - answered).toBe(count);
  expect(median(during)).toBeLessThan(10 * median(before) + 20);
  await postgres.resume();
  const { text: fresh } = await stack.keys.create();
  await comesTo(200, fresh, [503]);
});

it('Postgres slow: a locked table fills the pool, and still nobody waits who is known', async () => {
  const { postgres } = stack;
  const known = await warmKey();
  const table = 'latchkey.api_key_secrets';
  let isLocked = true;
  const locked = postgres
    .sql(`BEGIN; LOCK TABLE ${table} IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(3); COMMIT`)
    .then(() => {
      isLocked = false;
    });
  await until('the lock is held', async () => {
    const held = await postgres.sql(
      "SELECT 1 FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted AND relation = $1::regclass",
      [table],
    );
    return held.length > 0;
  });
  // More than the pool has connections.
  const hanging = Array.from({ length: 8 }, () => ask(unknownKey()));
  for (let count = 0; count < 20; count += 1) expect(await statusOf(known)).toBe(200);
  for (const response of await Promise.all(hanging)) expectOutage(response);
  expect(isLocked).toBe(true);
  await locked;
  await comesTo(401, unknownKey(), [503]);
});

/** Milliseconds of so many requests, one after the other, all of which are allowed. */
async function measure(text: string, requests: number): Promise<number[]> {
  const durationsMs: number[] = [];
  for (let count = 0; count < requests; count += 1) {
    const startedMs = performance.now();
    expect(await statusOf(text)).toBe(200);
    durationsMs.push(performance.now() - startedMs);
  }
  return durationsMs;
}

const median = (values: readonly number[]): number =>
  values.toSorted((left, right) => left - right)[Math.floor(values.length / 2)] ?? 0;

describe('Postgres out of reach', () => {
  let far: Sidecar;
  let farEnvoy: TestEnvoy;
  let pool: Awaited<ReturnType<Stack['postgres']['proxy']>>;
  let listener: Awaited<ReturnType<Stack['postgres']['proxy']>>;

  beforeAll(async () => {
    pool = await stack.postgres.proxy();
    listener = await stack.postgres.proxy();
    far = await startSidecar({
      databaseUrl: pool.url,
      name: 'far',
      variables: { LATCHKEY_DATABASE_LISTEN_URL: listener.url, LATCHKEY_STALE_WINDOW: '2s' },
    });
    stack.onStop(() => far.stop());
    farEnvoy = await startEnvoy({ check: { socketPath: far.socketPath } });
    stack.onStop(() => farEnvoy.stop());
    await farEnvoy.whenHealthy();
  });

  it('a black hole: as an outage, until the stale window is over', async () => {
    const known = await warmKey(farEnvoy);
    pool.proxy.setMode('blackhole');
    expectOutage(await ask(unknownKey(), farEnvoy));
    expect(await statusOf(known, farEnvoy)).toBe(200);
    await until('what nobody can confirm is refused', async () => {
      const status = await statusOf(known, farEnvoy);
      expect([200, 503]).toContain(status);
      return status === 503;
    });
    expectOutage(await ask(known, farEnvoy));
    pool.proxy.setMode('pass');
    await until('it works again', async () => (await statusOf(known, farEnvoy)) === 200);
    await until('and refuses again', async () => (await statusOf(unknownKey(), farEnvoy)) === 401);
    await far.reached('ready');
  });

  it.each(['blackhole', 'cut', 'refuse'] as const)(
    'the listening connection alone (%s): the poll sees a revocation within two seconds',
    async (mode) => {
      await until(
        'it listens',
        async () => (await far.metric('latchkey_follower_connected')) === 1,
      );
      const keys = [await stack.keys.create(), await stack.keys.create()];
      for (const { text } of keys) expect(await statusOf(text, farEnvoy)).toBe(200);
      const swallowed = listener.proxy.swallowed();
      listener.proxy.setMode(mode);
      // The first one may still meet a read that the making of the keys has set off.
      for (const { id, text } of keys) {
        await stack.keys.revoke(id);
        await until('401', async () => (await statusOf(text, farEnvoy)) === 401, 2_500);
      }
      // Of the notification nobody was told.
      if (mode !== 'refuse') expect(listener.proxy.swallowed()).toBeGreaterThan(swallowed);
      listener.proxy.setMode('pass');
    },
    30_000,
  );
});

describe('latchkey itself', () => {
  it('stopped: Envoy answers 503 in its shape, and asks it again as soon as it is back', async () => {
    const databaseUrl = stack.postgres.url;
    const folder = await mkdtemp(join(tmpdir(), 'latchkey-place-'));
    stack.onStop(() => rm(folder, { recursive: true }));
    const socketPath = join(folder, 'check.sock');
    const first = await startSidecar({ databaseUrl, name: 'first', socketPath });
    const own = await startEnvoy({ check: { socketPath } });
    stack.onStop(() => own.stop());
    await own.whenHealthy();
    const known = await warmKey(own);
    expect((await first.stop()).code).toBe(0);
    const requests = own.upstream.requests();
    for (const text of [known, unknownKey()]) expectOutage(await ask(text, own));
    expect((await ask(known, own)).json()['decision_id']).toBeUndefined();
    expect((await own.request({ path: '/v1/none/x' })).status).toBe(503);
    expect(own.upstream.requests()).toBe(requests);

    const second = await startSidecar({ databaseUrl, name: 'second', socketPath });
    stack.onStop(() => second.stop());
    await until('it answers', async () => (await statusOf(known, own)) === 200);
  });

  it('started while Postgres is away: not ready, and ready when Postgres is there', async () => {
    const { postgres } = stack;
    await postgres.stop();
    const early = await startSidecar({
      databaseUrl: postgres.url,
      name: 'early',
      waitUntilReady: false,
    });
    stack.onStop(() => early.stop());
    await early.reached('not_ready');
    const own = await startEnvoy({ check: { socketPath: early.socketPath } });
    stack.onStop(() => own.stop());
    const seen = await ask(unknownKey(), own);
    expectOutage(seen);
    expect(await early.readyz()).toEqual({ status: 503, state: 'not_ready' });

    await postgres.start();
    await early.reached('ready');
    await own.whenHealthy();
    await warmKey(own);
  });
});
