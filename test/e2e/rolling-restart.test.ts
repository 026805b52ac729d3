import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createTestKeys, type TestKeys } from '../support/e2e-keys.ts';
import { startEnvoy, type TestEnvoy } from '../support/envoy.ts';
import { startTestPostgres, type TestPostgres } from '../support/postgres.ts';
import { type Sidecar, startSidecar } from '../support/sidecar.ts';
import { type SteadyLoad, startSteadyLoad } from '../support/steady-load.ts';
import { until } from '../support/until.ts';

/*
 * Two sidecars behind one Envoy, restarted one after the other while clients go on: a deployment that nobody notices. Who asks
 * whom, and what happens to the calls of a connection that ends, is Envoy's own affair.
 */

let postgres: TestPostgres;
let keys: TestKeys;
let folder: string;
let envoy: TestEnvoy;
const sidecars = new Map<string, Sidecar>();
const NAMES = ['a', 'b'];
/** Requests under way at a time. */
const CLIENTS = 8;

beforeAll(async () => {
  postgres = await startTestPostgres();
  keys = await createTestKeys(postgres);
  folder = await mkdtemp(join(tmpdir(), 'latchkey-rolling-'));
  for (const name of NAMES) sidecars.set(name, await start(name));
  const check = NAMES.map((name) => ({ socketPath: socketOf(name) }));
  envoy = await startEnvoy({ check, concurrency: 2 });
  await envoy.whenHealthy(2);
});
afterAll(async () => {
  await envoy?.stop();
  await Promise.all([...sidecars.values()].map((sidecar) => sidecar.stop('SIGKILL')));
  await postgres?.close();
  if (folder !== undefined) await rm(folder, { recursive: true, force: true });
});

const socketOf = (name: string): string => join(folder, `${name}.sock`);

const start = (name: string): Promise<Sidecar> =>
  startSidecar({
    databaseUrl: postgres.url,
    name,
    socketPath: socketOf(name),
    // Longer than Envoy's interval of one second between two looks at the health, and another second for which it may hold
    // back a change that follows soon on another (update_merge_window of the cluster).
    variables: { LATCHKEY_DRAIN_WAIT: '2500ms', LATCHKEY_DRAIN_GRACE: '2s' },
  });

function sidecarNamed(name: string): Sidecar {
  const sidecar = sidecars.get(name);
  if (sidecar === undefined) throw new Error(`no sidecar ${name}`);
  return sidecar;
}

async function underLoad(work: (load: SteadyLoad) => Promise<void>): Promise<SteadyLoad> {
  const texts: string[] = [];
  for (let count = 0; count < 20; count += 1) texts.push((await keys.create()).text);
  const apiKey = (count: number): string => texts[count % texts.length] ?? '';
  const load = startSteadyLoad({ port: envoy.port, clients: CLIENTS, path: '/v1/read', apiKey });
  await moreRequests(load);
  await work(load);
  await moreRequests(load);
  await load.stop();
  return load;
}

const moreRequests = async (load: SteadyLoad): Promise<void> => {
  const before = load.answered();
  await until('more requests', () => load.answered() >= before + 200, 30_000);
};

it('a rolling restart loses no request, and every process ends with 0', async () => {
  const retries = () => envoy.stat('cluster.latchkey.upstream_rq_retry');
  const retriesBefore = await retries();
  const load = await underLoad(async (running) => {
    for (const name of NAMES) {
      const old = sidecarNamed(name);
      const { code, signal } = await old.stop('SIGTERM');
      expect([code, signal]).toEqual([0, null]);
      await moreRequests(running);
      sidecars.set(name, await start(name));
      await envoy.whenHealthy(2);
      await moreRequests(running);
      expectOrderlyStop(old);
    }
  });
  expect(Object.fromEntries(load.failures())).toEqual({});
  expect(load.answered()).toBeGreaterThan(1_000);
  // Nor was a check asked twice: each replica had no calls left when it ended.
  expect(await retries()).toBe(retriesBefore);
});

/** What the log tells of a stop: not ready first, then the phases, the listener before what it needs. */
function expectOrderlyStop(sidecar: Sidecar): void {
  const lines = sidecar.log();
  const stopping = lines.findIndex(({ message }) => message === 'stopping');
  const after = lines.slice(stopping);
  expect(after[0]).toMatchObject({ reason: 'SIGTERM' });
  expect(Number(after[0]?.['budget_ms'])).toBeGreaterThan(4_500);
  expect(after).toContainEqual(
    expect.objectContaining({ message: 'readiness changed', to: 'not_ready' }),
  );
  const phases = after.filter(({ message }) => message === 'stop phase ended');
  expect(phases.map(({ outcome }) => outcome)).toEqual(phases.map(() => 'done'));
  const names = phases.map(({ phase }) => phase);
  expect(names).toEqual(expect.arrayContaining(['grpc', 'service', 'admin', 'store', 'policy']));
  expect(names.indexOf('grpc')).toBeLessThan(names.indexOf('store'));
  expect(after.at(-1)).toMatchObject({ message: 'stopped', exit_code: 0 });
}

it('a replica that is killed takes with it what it was answering at most, and that is a 503', async () => {
  const load = await underLoad(async (running) => {
    const { signal } = await sidecarNamed('a').stop('SIGKILL');
    expect(signal).toBe('SIGKILL');
    await moreRequests(running);
    sidecars.set('a', await start('a'));
    // The socket that the dead one left behind was no hindrance.
    await sidecarNamed('a').logged({ message: 'stale socket replaced' });
    await envoy.whenHealthy(2);
  });
  // Envoy asks the other one, unless half an answer had come already.
  const { 503: lost = 0, ...others } = Object.fromEntries(load.failures());
  expect(others).toEqual({});
  expect(lost).toBeLessThanOrEqual(CLIENTS);
});

it('a second signal ends a stop that takes its time', async () => {
  const slow = await startSidecar({
    databaseUrl: postgres.url,
    name: 'slow',
    variables: { LATCHKEY_DRAIN_WAIT: '60s' },
  });
  slow.signal('SIGTERM');
  await slow.reached('not_ready');
  slow.signal('SIGTERM');
  expect(await slow.exited).toEqual({ code: 143, signal: null });
  await slow.stop();
});
