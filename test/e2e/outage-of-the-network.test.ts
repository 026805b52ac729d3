import { afterAll, beforeAll, expect, it } from 'vitest';
import { ask, expectOutage, statusOf, unknownKey } from '../support/e2e-outage.ts';
import { type Stack, startStack } from '../support/e2e-stack.ts';
import { startEnvoy, type TestEnvoy } from '../support/envoy.ts';
import { type Sidecar, startSidecar } from '../support/sidecar.ts';
import { until } from '../support/until.ts';

/*
 * Postgres runs, and the way to it is broken: for all connections, and for the one that listens alone. Real sockets: a connection
 * that is silently dead is something else than one that is refused.
 */

let stack: Stack;
let far: Sidecar;
let farEnvoy: TestEnvoy;
let pool: Awaited<ReturnType<Stack['postgres']['proxy']>>;
let listener: Awaited<ReturnType<Stack['postgres']['proxy']>>;

beforeAll(async () => {
  stack = await startStack();
  pool = await stack.postgres.proxy();
  listener = await stack.postgres.proxy();
  far = await startSidecar({
    databaseUrl: pool.url,
    name: 'far',
    variables: {
      LATCHKEY_CACHE_TTL: '1s',
      LATCHKEY_DATABASE_LISTEN_URL: listener.url,
      LATCHKEY_STALE_WINDOW: '3s',
    },
  });
  stack.onStop(() => far.stop());
  farEnvoy = await startEnvoy({ check: { socketPath: far.socketPath } });
  stack.onStop(() => farEnvoy.stop());
  await farEnvoy.whenHealthy();
});
afterAll(() => stack?.stop());

it('a black hole: as an outage, until the stale window is over', async () => {
  const { text: known } = await stack.keys.create();
  expect(await statusOf(farEnvoy, known)).toBe(200);
  pool.proxy.setMode('blackhole');
  expectOutage(await ask(farEnvoy, unknownKey()));
  expect(await statusOf(farEnvoy, known)).toBe(200);
  await until('what nobody can confirm is refused', async () => {
    const status = await statusOf(farEnvoy, known);
    expect([200, 503]).toContain(status);
    return status === 503;
  });
  expectOutage(await ask(farEnvoy, known));
  pool.proxy.setMode('pass');
  await until('it works again', async () => (await statusOf(farEnvoy, known)) === 200);
  await until('and refuses again', async () => (await statusOf(farEnvoy, unknownKey())) === 401);
  await far.reached('ready');
});

it.each(['blackhole', 'cut', 'refuse'] as const)(
  'the listening connection alone (%s): the poll sees a revocation within two seconds',
  async (mode) => {
    await until('it listens', async () => (await far.metric('latchkey_follower_connected')) === 1);
    const keys = [await stack.keys.create(), await stack.keys.create()];
    for (const { text } of keys) expect(await statusOf(farEnvoy, text)).toBe(200);
    const swallowed = listener.proxy.swallowed();
    listener.proxy.setMode(mode);
    // The first one may still meet a read that the making of the keys has set off.
    for (const { id, text } of keys) {
      await stack.keys.revoke(id);
      await until('401', async () => (await statusOf(farEnvoy, text)) === 401, 2_500);
    }
    // Of the notification nobody was told.
    if (mode !== 'refuse') expect(listener.proxy.swallowed()).toBeGreaterThan(swallowed);
    listener.proxy.setMode('pass');
  },
  30_000,
);
