import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { ask, expectOutage, statusOf, unknownKey } from '../support/e2e-outage.ts';
import { type Stack, startStack } from '../support/e2e-stack.ts';
import type { TestEnvoy } from '../support/envoy.ts';
import { until } from '../support/until.ts';

/*
 * Postgres stopped, frozen and slow. What memory knows goes on, what it does not know is an outage (503) and never a refusal, and
 * afterwards everything comes back by itself. Real processes: signals, sockets and pools are what fails here.
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

/** A key that memory knows. */
async function warmKey(): Promise<string> {
  const { text } = await stack.keys.create();
  expect(await statusOf(envoy, text)).toBe(200);
  return text;
}

/** Asks again and again until the status is this one; no other may come but those of `meanwhile`. */
async function comesTo(status: number, text: string, meanwhile: readonly number[]): Promise<void> {
  await until(`status ${status}`, async () => {
    const seen = await statusOf(envoy, text);
    expect([status, ...meanwhile]).toContain(seen);
    return seen === status;
  });
}

it('Postgres stopped: what is known works, what is unknown is 503, and all recovers', async () => {
  const { postgres, sidecar, keys } = stack;
  const known = await warmKey();
  const revoked = await keys.create();
  await statusOf(envoy, revoked.text);
  await keys.revoke(revoked.id);
  await comesTo(401, revoked.text, [200]);
  const revokedUnseen = await keys.create();
  await statusOf(envoy, revokedUnseen.text);
  await keys.revoke(revokedUnseen.id);
  await caughtUp(stack);

  await postgres.stop();
  const unknown = await ask(envoy, unknownKey());
  expectOutage(unknown);
  expect(unknown.json()['decision_id']).toEqual(expect.any(String));
  expect(await statusOf(envoy, known)).toBe(200);
  expect(await statusOf(envoy, revoked.text)).toBe(401);
  // Known to be revoked, or no longer known: never allowed.
  expect([401, 503]).toContain(await statusOf(envoy, revokedUnseen.text));
  expect(await statusOf(envoy, `${known}x`)).toBe(401);
  const { code } = await envoy.grpcRequest({ headers: [['x-api-key', unknownKey()]] });
  expect(code).toBe(14);
  expect((await ask(envoy, unknownKey(), '/v1/hidden/x')).status).toBe(404);
  expect((await ask(envoy, known, '/v1/admin')).status).toBe(403);

  await sidecar.reached('degraded');
  expect(await sidecar.readyz()).toEqual({ status: 200, state: 'degraded' });
  await envoy.whenHealthy(1);
  expect(await statusOf(envoy, known)).toBe(200);
  for (let count = 0; count < 20; count += 1) expectOutage(await ask(envoy, unknownKey()));

  await postgres.start();
  const { text: fresh } = await keys.create();
  await comesTo(200, fresh, [503]);
  await comesTo(401, unknownKey(), [503]);
  expect(await statusOf(envoy, known)).toBe(200);
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
  const hanging = ask(envoy, unknownKey()).then((response) => {
    order.push('unknown');
    return response;
  });
  for (let count = 0; count < 10; count += 1) expect(await statusOf(envoy, known)).toBe(200);
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
  const hanging = Array.from({ length: 8 }, () => ask(envoy, unknownKey()));
  for (let count = 0; count < 20; count += 1) expect(await statusOf(envoy, known)).toBe(200);
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
    expect(await statusOf(envoy, text)).toBe(200);
    durationsMs.push(performance.now() - startedMs);
  }
  return durationsMs;
}

const median = (values: readonly number[]): number =>
  values.toSorted((left, right) => left - right)[Math.floor(values.length / 2)] ?? 0;
