import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ask, expectOutage, statusOf, unknownKey } from '../support/e2e-outage.ts';
import { type Stack, startStack } from '../support/e2e-stack.ts';
import { startEnvoy, type TestEnvoy } from '../support/envoy.ts';
import { startSidecar } from '../support/sidecar.ts';
import { until } from '../support/until.ts';

/* latchkey itself is away, or not ready yet: nobody gets in, and all is well as soon as it is there. */

let stack: Stack;

beforeAll(async () => {
  stack = await startStack();
});
afterAll(() => stack?.stop());

/** A key that memory knows. */
async function warmKey(via: TestEnvoy): Promise<string> {
  const { text } = await stack.keys.create();
  expect(await statusOf(via, text)).toBe(200);
  return text;
}

it('stopped: Envoy answers 503 in its shape, and asks it again as soon as it is back', async () => {
  const databaseUrl = stack.postgres.url;
  const folder = await mkdtemp(join(tmpdir(), 'latchkey-place-'));
  stack.onStop(() => rm(folder, { recursive: true }));
  const socketPath = join(folder, 'check.sock');
  const first = await startSidecar({ databaseUrl, name: 'first', socketPath });
  stack.onStop(() => first.stop());
  const own = await startEnvoy({ check: { socketPath } });
  stack.onStop(() => own.stop());
  await own.whenHealthy();
  const known = await warmKey(own);
  expect((await first.stop()).code).toBe(0);
  const requests = own.upstream.requests();
  for (const text of [known, unknownKey()]) expectOutage(await ask(own, text));
  expect((await ask(own, known)).json()['decision_id']).toBeUndefined();
  expect((await own.request({ path: '/v1/none/x' })).status).toBe(503);
  const headers = [['x-api-key', known]] as const;
  expectOutage(await own.http2Request({ path: '/v1/read', headers }));
  expect((await own.grpcRequest({ headers })).code).toBe(14);
  expect(own.upstream.requests()).toBe(requests);

  const second = await startSidecar({ databaseUrl, name: 'second', socketPath });
  stack.onStop(() => second.stop());
  await until('it answers', async () => (await statusOf(own, known)) === 200);
});

it('frozen: Envoy waits for a second, answers 503, and lets nobody in', async () => {
  const { sidecar } = stack;
  const own = await stack.addEnvoy();
  const known = await warmKey(own);
  const requests = own.upstream.requests();
  sidecar.signal('SIGSTOP');
  expectOutage(await ask(own, known));
  await own.whenHealthy(0);
  expectOutage(await ask(own, known));
  expect(own.upstream.requests()).toBe(requests);
  sidecar.signal('SIGCONT');
  await until('it answers', async () => (await statusOf(own, known)) === 200);
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
  const seen = await ask(own, unknownKey());
  expectOutage(seen);
  expect(await early.readyz()).toEqual({ status: 503, state: 'not_ready' });

  await postgres.start();
  await early.reached('ready');
  await own.whenHealthy();
  await warmKey(own);
});
