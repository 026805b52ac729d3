import { execFile, spawn } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { DEMO_STEPS } from '../../src/app/demo-steps.ts';
import { http1Request } from '../support/http-clients.ts';
import { until } from '../support/until.ts';

/*
 * `npm run demo` as a person has it: what it prints, what it starts, and that nothing of it is left afterwards.
 */

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const run = promisify(execFile);

/** The demo's temporary folders go here, so that the test sees whether any stays. */
let temporary: string;

beforeEach(async () => {
  temporary = await mkdtemp(join(tmpdir(), 'latchkey-demo-test-'));
  // Under root, Postgres runs as another user, who has to pass through.
  await run('chmod', ['711', temporary]);
});
afterEach(() => rm(temporary, { recursive: true, force: true }));

interface Running {
  /** Of the whole process group, as a terminal would signal it. */
  readonly group: number;
  readonly lines: () => readonly string[];
  readonly exited: Promise<number | null>;
}

function startDemo(...args: string[]): Running {
  const child = spawn('npm', ['run', '--silent', 'demo', '--', ...args], {
    cwd: ROOT,
    // npm's own cache of compiled code would be left there.
    env: { ...process.env, TMPDIR: temporary, NODE_DISABLE_COMPILE_CACHE: '1' },
    // A group of its own, as a shell gives to each command.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => void lines.push(line));
  }
  const exited = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  const { pid } = child;
  if (pid === undefined) throw new Error('npm could not be started');
  const kill = (): void => {
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {
      // The group is gone, as it should be.
    }
  };
  process.once('exit', kill);
  void exited.finally(() => process.removeListener('exit', kill)).catch(() => {});
  return { group: pid, lines: () => lines, exited };
}

/** Every process that descends from this one, itself included. */
async function familyOf(pid: number): Promise<number[]> {
  const { stdout } = await run('ps', ['-e', '-o', 'pid=,ppid=']);
  const rows = stdout
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number));
  const family = [pid];
  for (const parent of family) {
    for (const [child = 0, of] of rows) if (of === parent) family.push(child);
  }
  return family;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

it('--smoke does what the instructions say, shows each status, exits 0 and leaves nothing', async () => {
  const demo = startDemo('--smoke', '--port', '0');
  expect([await demo.exited, demo.lines().at(-1)]).toEqual([0, 'The demo works.']);
  const shown = demo.lines().filter((line) => /^(ok|FAIL) /.test(line));
  const statuses = shown.map((line) => Number(/^ok +(\d{3}) /.exec(line)?.[1]));
  expect(statuses).toEqual([...DEMO_STEPS.map(({ expectStatus }) => expectStatus), 401]);
  expect([...new Set(statuses)].sort()).toEqual([200, 401, 403, 404, 429]);
  expect(await readdir(temporary)).toEqual([]);
});

it('the interactive one works as it says, and Ctrl-C leaves no process and no folder', async () => {
  const demo = startDemo('--port', '0');
  await until('the demo is there', () => demo.lines().includes('Ctrl-C stops everything.'), 60_000);
  const text = demo.lines().join('\n');
  const port = Number(/Envoy listens on http:\/\/127\.0\.0\.1:(\d+)/.exec(text)?.[1]);
  const reader = /READER=(\S+)/.exec(text)?.[1] ?? '';
  const keyId = /keys revoke (\S+) --wait/.exec(text)?.[1] ?? '';
  const status = async (): Promise<number> => {
    const headers = [['authorization', `Bearer ${reader}`]] as const;
    return (await http1Request(port, { path: '/v1/scans', headers })).status;
  };
  expect(await status()).toBe(200);
  const variables = Object.fromEntries(
    [...text.matchAll(/(LATCHKEY_\w+)=(\S+)/g)].map(([, name = '', value = '']) => [name, value]),
  );
  const revoked = await run(
    'npm',
    ['run', '--silent', 'latchkey', '--', 'keys', 'revoke', keyId, '--wait'],
    {
      cwd: ROOT,
      env: { ...process.env, ...variables },
    },
  );
  expect(revoked.stdout).toContain('1 replica');
  expect(await status()).toBe(401);

  const family = await familyOf(demo.group);
  // npm, a shell, latchkey, Envoy, and Postgres with its helpers.
  expect(family.length).toBeGreaterThan(5);
  process.kill(-demo.group, 'SIGINT');
  // What npm makes of the signal is its own affair: it ends when latchkey has.
  await demo.exited;
  expect(demo.lines().at(-1)).toBe('SIGINT: stopping.');
  await until('every process is gone', () => !family.some(isAlive), 20_000);
  expect(await readdir(temporary)).toEqual([]);
});

it.each<[string, string, NodeJS.Signals, string]>([
  ['Ctrl-C while it starts', 'Starting Postgres and latchkey …', 'SIGINT', 'Stopped.'],
  ['a terminal that is closed', 'Ctrl-C stops everything.', 'SIGHUP', 'SIGHUP: stopping.'],
])('%s leaves nothing either', async (_, moment, signal, last) => {
  const demo = startDemo('--port', '0');
  await until(moment, () => demo.lines().includes(moment), 60_000);
  // A moment into the start, the database is being made.
  await until('a folder', async () => (await readdir(temporary)).length > 0);
  const family = await familyOf(demo.group);
  process.kill(-demo.group, signal);
  await demo.exited;
  expect(demo.lines().at(-1)).toBe(last);
  await until('every process is gone', () => !family.some(isAlive), 20_000);
  await until('every folder is gone', async () => (await readdir(temporary)).length === 0);
});

it('a port that is taken is told in one line, and nothing stays', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '0.0.0.0', resolve));
  const { port } = server.address() as AddressInfo; // It listens on TCP.
  const demo = startDemo('--smoke', '--port', String(port));
  const code = await demo.exited;
  await new Promise((resolve) => server.close(resolve));
  expect(code).toBe(1);
  expect(demo.lines().join('\n')).toContain(String(port));
  expect(await readdir(temporary)).toEqual([]);
});
