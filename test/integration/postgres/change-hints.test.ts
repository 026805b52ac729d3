import { getEventListeners } from 'node:events';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { ChangeHints } from '../../../src/cache/ports.ts';
import { type ChangeHintsOptions, createChangeHints } from '../../../src/postgres/change-hints.ts';
import { createKeyAdminStore } from '../../../src/postgres/key-admin-store.ts';
import { keyId, newKey, seedOrganization } from '../../support/accounts.ts';
import { startTestPostgres, type TestPostgres } from '../../support/postgres.ts';
import { until } from '../../support/until.ts';

/*
 * A listener fails in ways that only a real server and a real socket show: a connection that dies without a word, a
 * server that stops answering, a LISTEN that got lost.
 */
const APPLICATION_NAME = 'latchkey-test-hints';
const context = { actor: 'test', signal: AbortSignal.timeout(120_000) };

let postgres: TestPostgres;
let hints: ChangeHints | undefined;

beforeAll(async () => {
  postgres = await startTestPostgres();
  const database = postgres.database();
  await seedOrganization(database);
  await createKeyAdminStore(database).create(newKey('k1'), context);
});

afterAll(() => postgres.close());

afterEach(() => hints?.stop());

function listen(overrides: Partial<ChangeHintsOptions> = {}) {
  const seen = { hints: 0, states: [] as boolean[], messages: [] as string[] };
  hints = createChangeHints({
    url: postgres.url,
    applicationName: APPLICATION_NAME,
    log: (_level, message, fields) => seen.messages.push(`${message} ${fields?.['cause'] ?? ''}`),
    random: () => 0,
    heartbeatMs: 100,
    heartbeatTimeoutMs: 200,
    backoffMsMin: 20,
    backoffMsMax: 100,
    ...overrides,
  });
  hints.start({
    onHint: () => {
      seen.hints += 1;
    },
    onState: (connected) => seen.states.push(connected),
  });
  return seen;
}

const change = () =>
  postgres.sql("UPDATE latchkey.api_keys SET plan = gen_random_uuid()::text WHERE id = 'k1'");

describe('hints', () => {
  it('one when listening begins, for what was missed before, and one for each change', async () => {
    const seen = listen();
    await until('listening', () => seen.states.at(-1) === true);
    expect(seen.hints).toBe(1);
    await change();
    await until('the notification', () => seen.hints === 2);
    await createKeyAdminStore(postgres.database()).revoke(keyId('k1'), context);
    await until('the notification of a write by the program', () => seen.hints === 3);
  });

  it('use one connection, and none after stop()', async () => {
    const seen = listen();
    await until('listening', () => seen.states.at(-1) === true);
    expect(await postgres.connections(APPLICATION_NAME)).toBe(1);
    await hints?.stop();
    await until('disconnected', async () => (await postgres.connections(APPLICATION_NAME)) === 0);
    expect(seen.states).toEqual([true]);
  });

  it('stop() returns at once while the server is out of reach', async () => {
    const { proxy, url } = await postgres.proxy();
    proxy.setMode('blackhole');
    listen({ url });
    await until('connecting', () => proxy.accepted() > 0);
    const startedMs = performance.now();
    await hints?.stop();
    expect(performance.now() - startedMs).toBeLessThan(2_500);
  });
});

describe('a connection that is of no use any more is replaced, and what was missed is asked for', () => {
  it('half-open: silently dead, with no error and no end', async () => {
    const { proxy, url } = await postgres.proxy();
    const seen = listen({ url });
    await until('listening', () => seen.states.at(-1) === true);
    proxy.setMode('cut');
    await change();
    await until('listening again', () => seen.states.length === 3);
    expect(seen.states).toEqual([true, false, true]);
    await until('it says so', () => seen.messages.length === 2);
    expect(seen.messages).toEqual([
      expect.stringContaining('Not listening for changes.'),
      'Listening for changes again. ',
    ]);
    await until('the hint for what was missed', () => seen.hints >= 2);
    const known = seen.hints;
    await change();
    await until('notifications on the new connection', () => seen.hints > known);
    expect(seen.messages.join()).toContain('no answer within 200 ms');
  });

  it('cut off by the server', async () => {
    const seen = listen();
    await until('listening', () => seen.states.at(-1) === true);
    await postgres.sql(
      'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1',
      [APPLICATION_NAME],
    );
    await until('listening again', () => seen.states.length === 3);
    expect(seen.states).toEqual([true, false, true]);
    await until('it says so', () => seen.messages.length === 2);
    expect(seen.messages).toEqual([
      expect.stringContaining('Not listening for changes.'),
      'Listening for changes again. ',
    ]);
  });

  it('the server stopped by SIGSTOP, then going on', async () => {
    const seen = listen();
    await until('listening', () => seen.states.at(-1) === true);
    await postgres.pause();
    await until('noticed', () => seen.states.at(-1) === false);
    await postgres.resume();
    await until('listening again', () => seen.states.at(-1) === true, 20_000);
  });

  it('answering and not listening, as behind a pooler that took the LISTEN for one transaction', async () => {
    const lost = (chunk: Buffer) =>
      Buffer.from(
        chunk.toString('latin1').replace('LISTEN latchkey_changes', 'LISTEN latchkey_nothing'),
        'latin1',
      );
    const { url } = await postgres.proxy({ rewrite: lost });
    const warnings: string[] = [];
    const log: ChangeHintsOptions['log'] = (level, _message, fields) => {
      if (level === 'warn') warnings.push(String(fields?.['cause']));
    };
    const seen = listen({ url, log });
    // Each time listening begins it asks for a poll.
    await until('noticed again and again', () => seen.hints >= 4);
    // A gauge that says otherwise each time would hide it.
    expect(seen.states).toEqual([true, false]);
    // It goes on like that for as long as the process runs.
    expect(warnings).toEqual([expect.stringContaining('LISTEN needs a direct one')]);
  });

  it('the server gone and back: it keeps trying, with a pause that grows and is capped', async () => {
    const { proxy, url } = await postgres.proxy();
    proxy.setMode('refuse');
    const startedMs = performance.now();
    const seen = listen({ url });
    await until('five attempts', () => proxy.accepted() >= 5);
    // 20 + 40 + 80 + 100 ms between them.
    expect(performance.now() - startedMs).toBeGreaterThanOrEqual(235);
    expect(seen.states).toEqual([]);
    proxy.setMode('pass');
    await until('listening', () => seen.states.at(-1) === true);
  });

  it('and nothing remains of those before it, however many there were', async () => {
    const adding = vi.spyOn(EventTarget.prototype, 'addEventListener');
    const { proxy, url } = await postgres.proxy();
    proxy.setMode('refuse');
    listen({ url, backoffMsMin: 1, backoffMsMax: 1 });
    await until('thirty attempts', () => proxy.accepted() >= 30);
    const targets = adding.mock.contexts.filter((target) => target instanceof AbortSignal);
    adding.mockRestore();
    const counts = targets.map((target) => getEventListeners(target, 'abort').length);
    expect(targets.length).toBeGreaterThanOrEqual(30);
    expect(Math.max(...counts)).toBeLessThanOrEqual(2);
  });
});
