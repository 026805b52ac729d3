import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import { serverBinaries } from './embedded-binaries.ts';
import { EmbeddedPostgresError } from './embedded-error.ts';
import {
  isAlive,
  prepareFolder,
  readPid,
  removeStalePidFile,
  runningServerPid,
  type ServerFolder,
  serverFolder,
} from './embedded-folder.ts';
import { serverIdentity } from './embedded-identity.ts';
import { type ServerProcess, type ServerStart, startServerProcess } from './embedded-process.ts';
import type { PostgresLog } from './log.ts';

export interface EmbeddedPostgresOptions {
  /** Made when it does not exist; a server started on it later finds the same data. */
  readonly dataDir: string;
  /** On 127.0.0.1; a free one when absent. */
  readonly port?: number | undefined;
  /** Server settings, `name=value`, for tests (`fsync=off`). */
  readonly settings?: readonly string[] | undefined;
  /** Where the server's programs are copied when its user cannot run them where npm put them. */
  readonly binariesCacheDir?: string | undefined;
  readonly log: PostgresLog;
}

export interface EmbeddedPostgres {
  /** Of the superuser, to the database `latchkey`. Holds the password: never to be logged. */
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Resolves when the server is gone, whoever ended it, with how it ended. */
  readonly exited: Promise<string>;
  /** A fast shutdown; harder when that takes too long. Safe to call twice. */
  stop(): Promise<void>;
}

export const EMBEDDED_DATABASE = 'latchkey';

/** Between finding a free port and the server taking it somebody else may: so more than one is tried. */
const PORT_ATTEMPTS_MAX = 5;
const ORPHAN_DEADLINE_MS = 15_000;
const ORPHAN_POLL_MS = 50;

/**
 * Starts a real Postgres from the optional npm package. It listens on 127.0.0.1 with a random password that only a file
 * of mode 0600 holds, and ends with us: by `stop`, and also when we are killed (see docs/decisions).
 */
export async function startEmbeddedPostgres(
  options: EmbeddedPostgresOptions,
): Promise<EmbeddedPostgres> {
  const folder = serverFolder(options.dataDir);
  const identity = await serverIdentity();
  const binaries = await serverBinaries(identity, options.binariesCacheDir);
  await prepareFolder(folder, binaries, identity);
  await requireFree(folder, options.log);

  const start = { folder, binaries, identity, settings: options.settings ?? [], log: options.log };
  const { server, port } = await startOnAPort(start, options.port);
  try {
    await writeFile(folder.ownerFile, `${process.pid}\n`, { mode: 0o600 });
    await ensureDatabase(await urlOf(folder, port, 'postgres'));
    const url = await urlOf(folder, port, EMBEDDED_DATABASE);
    options.log('info', 'The embedded Postgres is ready.', { folder: folder.root, port });
    return { url, port, pid: server.pid, exited: server.exited, stop: server.stop };
  } catch (error) {
    await server.stop();
    throw error;
  }
}

/** The URL of the server that another process has started on this folder, if one runs. */
export async function findEmbeddedPostgres(dataDir: string): Promise<string | undefined> {
  const folder = serverFolder(dataDir);
  if ((await runningServerPid(folder)) === undefined) return undefined;
  const lines = (await readFile(join(folder.cluster, 'postmaster.pid'), 'utf8')).split('\n');
  // The fourth line is the port (see the server's documentation of postmaster.pid).
  return urlOf(folder, Number(lines[3]), EMBEDDED_DATABASE);
}

/**
 * A folder serves one server. One whose latchkey is alive is not ours to touch; one whose latchkey is gone has lost its
 * watcher as well (the watcher would have stopped it), and is stopped here.
 */
async function requireFree(folder: ServerFolder, log: PostgresLog): Promise<void> {
  await removeStalePidFile(folder);
  const pid = await runningServerPid(folder);
  if (pid === undefined) return;
  const owner = await readPid(folder.ownerFile);
  if (owner === undefined || isAlive(owner)) {
    throw new EmbeddedPostgresError(
      `${folder.root} is in use: a Postgres server (process ${pid}) runs on it, started by process ${owner ?? 'unknown'}. ` +
        'Stop that one first, or name another folder.',
    );
  }
  log('warn', 'Stopping an embedded Postgres that was left behind.', { pid });
  const deadline = performance.now() + ORPHAN_DEADLINE_MS;
  while ((await runningServerPid(folder)) === pid) {
    if (performance.now() > deadline) {
      throw new EmbeddedPostgresError(
        `The Postgres server (process ${pid}) left behind in ${folder.root} does not stop. End it and try again.`,
      );
    }
    askToStop(pid);
    await delay(ORPHAN_POLL_MS);
  }
}

function askToStop(pid: number): void {
  try {
    process.kill(pid, 'SIGINT');
  } catch {
    // It has gone in the meantime, or is not ours to signal: the caller's deadline says so.
  }
}

async function startOnAPort(
  start: Omit<ServerStart, 'port'>,
  fixedPort: number | undefined,
): Promise<{ server: ServerProcess; port: number }> {
  if (fixedPort !== undefined) {
    const server = await startServerProcess({ ...start, port: fixedPort });
    if (server !== 'port_taken') return { server, port: fixedPort };
    throw new EmbeddedPostgresError(
      `Port ${fixedPort} on 127.0.0.1 is taken. Choose another, or none for a free one.`,
    );
  }
  for (let attempt = 0; attempt < PORT_ATTEMPTS_MAX; attempt += 1) {
    const port = await freePort();
    const server = await startServerProcess({ ...start, port });
    if (server !== 'port_taken') return { server, port };
  }
  throw new EmbeddedPostgresError('No free port was found on 127.0.0.1. Name one.');
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      probe.close(() => resolve(port));
    });
  });
}

async function urlOf(folder: ServerFolder, port: number, database: string): Promise<string> {
  const password = (await readFile(folder.passwordFile, 'utf8')).trim();
  return `postgres://postgres:${password}@127.0.0.1:${port}/${database}?sslmode=disable`;
}

async function ensureDatabase(maintenanceUrl: string): Promise<void> {
  const client = new Client({ connectionString: maintenanceUrl });
  await client.connect();
  try {
    const known = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [
      EMBEDDED_DATABASE,
    ]);
    if (known.rowCount === 0) await client.query(`CREATE DATABASE ${EMBEDDED_DATABASE}`);
  } finally {
    await client.end();
  }
}
