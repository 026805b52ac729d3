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

/* Three replicas restarted over and over under load, in order and by force: what one restart in a hundred would lose shows here. */

const NAMES = ['a', 'b', 'c'];
const ROUNDS = 5;
/** Requests under way at a time. */
const CLIENTS = 6;

let postgres: TestPostgres;
let keys: TestKeys;
let folder: string;
let envoy: TestEnvoy;
const sidecars = new Map<string, Sidecar>();

beforeAll(async () => {
  postgres = await startTestPostgres();
  keys = await createTestKeys(postgres);
  folder = await mkdtemp(join(tmpdir(), 'latchkey-restarts-'));
  for (const name of NAMES) sidecars.set(name, await start(name));
  const check = NAMES.map((name) => ({ socketPath: join(folder, `${name}.sock`) }));
  envoy = await startEnvoy({ check, concurrency: 2 });
  await envoy.whenHealthy(NAMES.length);
});
afterAll(async () => {
  await envoy?.stop();
  await Promise.all([...sidecars.values()].map((sidecar) => sidecar.stop('SIGKILL')));
  await postgres?.close();
  if (folder !== undefined) await rm(folder, { recursive: true, force: true });
});

const start = (name: string): Promise<Sidecar> =>
  startSidecar({
    databaseUrl: postgres.url,
    name,
    socketPath: join(folder, `${name}.sock`),
    variables: { LATCHKEY_DRAIN_WAIT: '2500ms' },
  });

/** Restarts each replica in turn, round after round, under load; gives what did not get its 200, and how often. */
async function restartAll(signal: 'SIGTERM' | 'SIGKILL'): Promise<Record<string, number>> {
  const known: string[] = [];
  for (let count = 0; count < 50; count += 1) known.push((await keys.create()).text);
  const apiKey = (count: number): string => known[count % known.length] ?? '';
  const load = startSteadyLoad({ port: envoy.port, clients: CLIENTS, path: '/v1/read', apiKey });
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const name of NAMES) {
      const ending = await sidecars.get(name)?.stop(signal);
      if (signal === 'SIGTERM') expect(ending).toEqual({ code: 0, signal: null });
      await moreRequests(load);
      sidecars.set(name, await start(name));
      await envoy.whenHealthy(NAMES.length);
      await moreRequests(load);
    }
  }
  await load.stop();
  return Object.fromEntries(load.failures());
}

/** Resolves when each client has had several answers: of the replicas that are there now. */
async function moreRequests(load: SteadyLoad): Promise<void> {
  const enough = load.answered() + 20 * CLIENTS;
  await until('more requests', () => load.answered() >= enough, 60_000);
}

it(`${ROUNDS} rounds of restarts lose no request`, async () => {
  expect(await restartAll('SIGTERM')).toEqual({});
});

it(`${ROUNDS} rounds of kills lose what was being answered at most`, async () => {
  const { 503: lost = 0, ...others } = await restartAll('SIGKILL');
  expect(others).toEqual({});
  expect(lost).toBeLessThanOrEqual(ROUNDS * NAMES.length * CLIENTS);
});
