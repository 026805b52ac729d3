import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';
import { type StartedProcess, startProcess } from '../../support/child-process.ts';
import { E2E_POLICY } from '../../support/sidecar.ts';
import { until } from '../../support/until.ts';

const folder = await mkdtemp(join(tmpdir(), 'latchkey-test-death-'));
await chmod(folder, 0o711);
let started: StartedProcess | undefined;

afterAll(async () => {
  started?.kill('SIGTERM');
  await started?.exited;
  await rm(folder, { recursive: true, force: true });
});

type Line = Readonly<Record<string, unknown>>;
const log = (child: StartedProcess): Line[] =>
  child.stdout().map((line) => JSON.parse(line) as Line); // Our own log is JSON.

it('serve --embedded outlives the death of its Postgres, and stops with an error when it dies again at once', async () => {
  const main = fileURLToPath(new URL('../../../src/main.ts', import.meta.url));
  const { PATH = '', HOME = '' } = process.env;
  const child = startProcess(process.execPath, [main, 'serve', '--embedded', join(folder, 'pg')], {
    env: {
      ...{ PATH, HOME, LATCHKEY_POLICY: E2E_POLICY, LATCHKEY_DRAIN_WAIT: '0ms' },
      ...{ LATCHKEY_CHECK_LISTEN: '127.0.0.1:0', LATCHKEY_ADMIN_LISTEN: '127.0.0.1:0' },
    },
  });
  started = child;
  const told = (message: string) => log(child).filter((line) => line['message'] === message);
  const readiness = async (): Promise<unknown> => {
    const admin = told('serving')[0]?.['admin'];
    if (admin === undefined) return undefined;
    const answer = await fetch(`http://${String(admin)}/readyz`);
    return ((await answer.json()) as { state: unknown }).state;
  };
  const killPostgres = async (): Promise<void> => {
    const note = await readFile(join(folder, 'pg', 'cluster', 'postmaster.pid'), 'utf8');
    process.kill(Number(note.split('\n')[0]), 'SIGKILL');
  };
  const readyServers = () => told('The embedded Postgres is ready.').length;

  await until('ready', async () => (await readiness()) === 'ready', 30_000);
  await killPostgres();
  await until('another Postgres', () => readyServers() === 2);
  expect(await readiness()).toBe('ready');

  await killPostgres();
  expect(await child.exited).toEqual({ code: 1, signal: null });
  expect(child.stderr().join('\n')).toMatch(/^latchkey: The embedded Postgres ended again soon/);
  expect(told('the embedded Postgres is lost')).toHaveLength(1);
  expect(told('stopped')).toHaveLength(1);
}, 60_000);
