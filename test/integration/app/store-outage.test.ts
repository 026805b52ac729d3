import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { startTestPostgres, type TestPostgres } from '../../support/postgres.ts';
import { type Sidecar, startSidecar } from '../../support/sidecar.ts';
import { until } from '../../support/until.ts';

/** What whoever is paged sees while the store is away: on /readyz, in the metrics and in the log. */

let postgres: TestPostgres;
let sidecar: Sidecar | undefined;

beforeAll(async () => {
  postgres = await startTestPostgres();
});
afterEach(() => sidecar?.stop('SIGKILL'));
afterAll(() => postgres.close());

interface Part {
  readonly name: string;
  readonly state: string;
  readonly reason?: string;
  readonly since: string;
}

async function storePart({ adminPort }: Sidecar): Promise<Part> {
  const answer = await fetch(`http://127.0.0.1:${adminPort}/readyz`);
  const { parts } = (await answer.json()) as { parts: Part[] }; // The page's own shape.
  const store = parts.find(({ name }) => name === 'store');
  if (store === undefined) throw new Error('/readyz names no store');
  return store;
}

it('an outage is told once, with its cause and its consequence, and so is its end', async () => {
  const { proxy, url } = await postgres.proxy();
  sidecar = await startSidecar({ databaseUrl: url, variables: { LATCHKEY_STALE_WINDOW: '7s' } });
  const { logged, log, metric, reached } = sidecar;
  const startedMs = Date.now();

  proxy.setMode('refuse');
  const silent = await logged({ message: 'the database does not answer', level: 'warn' });
  expect(silent['cause']).toMatch(/^Postgres did not answer: .*See that the server is up/);
  expect(silent['consequence']).toMatch(/^keys in memory work until \S+, others get 503$/);
  const endsAt = Date.parse(/until (\S+),/.exec(String(silent['consequence']))?.[1] ?? '');
  expect(endsAt).toBeGreaterThan(startedMs + 5_000);
  expect(endsAt).toBeLessThan(Date.now() + 7_000);
  await reached('degraded');
  expect(await storePart(sidecar)).toMatchObject({
    state: 'degraded',
    reason: `the database does not answer (see the log): ${silent['consequence']}`,
  });
  expect(await metric('latchkey_part_state{part="store",state="degraded"}')).toBe(1);
  expect(await metric('latchkey_follower_confirmed_age_seconds')).toBeGreaterThan(4);
  await logged({ message: 'readiness changed', level: 'warn', to: 'degraded' });

  const over = 'the stale window is over, every key gets 503';
  await logged({ message: 'the database does not answer', consequence: over });
  expect(log().filter(({ message }) => message === 'the database does not answer')).toHaveLength(2);

  proxy.setMode('pass');
  const again = await logged({ message: 'the database answers again', level: 'info' });
  expect(again['after_ms']).toBeGreaterThan(1_000);
  await reached('ready');
  const { since, reason } = await storePart(sidecar);
  expect(reason).toBeUndefined();
  expect(Date.parse(since)).toBeGreaterThan(endsAt);
}, 60_000);

it('a right that is missing is told with its name', async () => {
  const url = await postgres.createLogin('told', 'latchkey_check');
  sidecar = await startSidecar({ databaseUrl: url });
  await postgres.sql('REVOKE INSERT, UPDATE ON latchkey.replicas FROM latchkey_check');
  const refused = await sidecar.logged({ message: 'the database refused a statement' });
  expect(refused).toMatchObject({
    level: 'error',
    sql_state: '42501',
    problem: expect.stringMatching(/permission denied for table replicas.* latchkey_check serves/),
  });
  const { metric } = sidecar;
  expect(await metric('latchkey_faults_total')).toBeGreaterThan(0);
  const announcedAge = () => metric('latchkey_follower_announced_age_seconds');
  await until('nobody hears of this replica', async () => (await announcedAge()) > 5);
  expect(await metric('latchkey_follower_confirmed_age_seconds')).toBeLessThan(5);
}, 60_000);
