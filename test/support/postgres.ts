import { execFile } from 'node:child_process';
import { chmod, chown, copyFile, mkdtemp, rm, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/postgres/embedded.ts';
import { serverIdentity } from '../../src/postgres/embedded-identity.ts';
import { createDatabase, type Database, type DatabaseOptions } from '../../src/postgres/pool.ts';
import { DATA_DIR_PREFIX, sweepDataDirs, TEST_SETTINGS, templateDir } from './postgres-template.ts';
import { createTcpProxy, type TcpProxy, type TcpProxyOptions } from './tcp-proxy.ts';

const run = promisify(execFile);

/** A server process ends a moment after its client: two seconds at most. */
const LEAK_CHECKS_MAX = 40;
const LEAK_CHECK_INTERVAL_MS = 50;

const silent = () => {};

/** A real server of its own for one test file, with a migrated database. */
export interface TestPostgres {
  /** Superuser, database `latchkey`, migrated. */
  readonly url: string;
  readonly host: string;
  readonly port: number;
  /** The folder of the embedded server. */
  readonly dataDir: string;
  /** A further migrated database on the same server. */
  createDatabase(name: string): Promise<string>;
  /** Runs SQL as the superuser on `latchkey` (or on another URL) and gives the rows. */
  sql<Row extends object>(text: string, values?: readonly unknown[], url?: string): Promise<Row[]>;
  /** The program's own access, closed with the server. */
  database(options?: Partial<DatabaseOptions>): Database;
  /** A login user that is a member of `role`, and its URL. */
  createLogin(name: string, role?: string): Promise<string>;
  /** A proxy in front of the server, and the URL through it; closed with the server. */
  proxy(
    options?: Pick<TcpProxyOptions, 'rewrite'>,
  ): Promise<{ readonly proxy: TcpProxy; readonly url: string }>;
  /** A clean stop; `start` brings it back on the same port, with the same data. */
  stop(): Promise<void>;
  start(): Promise<void>;
  restart(): Promise<void>;
  /** SIGKILL to every process of the server: its clients see their connections break. */
  kill(): Promise<void>;
  /** SIGSTOP to every process of the server: connections stay open and nothing answers. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** Connections to `latchkey` by application name. */
  connections(applicationName: string): Promise<number>;
  /** Ends everything and removes the data. */
  close(): Promise<void>;
}

/** The URL with another host, port, user, password, database or parameter. */
export function changeUrl(
  url: string,
  change: {
    readonly port?: number;
    readonly host?: string;
    readonly user?: string;
    readonly password?: string;
    readonly database?: string;
    readonly parameters?: Readonly<Record<string, string>>;
  },
): string {
  const changed = new URL(url);
  if (change.port !== undefined) changed.port = String(change.port);
  if (change.host !== undefined) changed.hostname = change.host;
  if (change.user !== undefined) changed.username = change.user;
  if (change.password !== undefined) changed.password = change.password;
  if (change.database !== undefined) changed.pathname = `/${change.database}`;
  for (const [name, value] of Object.entries(change.parameters ?? {})) {
    changed.searchParams.set(name, value);
  }
  return changed.toString();
}

export interface TestPostgresOptions {
  /** Server settings, `name=value`. */
  readonly settings?: readonly string[];
  /** Files for the data directory (`ssl_cert_file=NAME` finds them there), by name: copied from these paths, mode 0600. */
  readonly files?: Readonly<Record<string, string>>;
}

/**
 * Starts a server on a copy of a template that is made once per state of the migrations (initdb, start, migrate, stop)
 * and kept in the system's temporary folder. A copy and a start take a fraction of a second.
 */
export async function startTestPostgres(options: TestPostgresOptions = {}): Promise<TestPostgres> {
  const template = await templateDir();
  await sweepDataDirs();
  const dataDir = await mkdtemp(join(tmpdir(), DATA_DIR_PREFIX));
  await run('cp', ['-a', `${template}/.`, dataDir]);
  // The copy took over the template's age, by which the next start would sweep this folder away.
  const now = new Date();
  await utimes(dataDir, now, now);
  for (const [name, source] of Object.entries(options.files ?? {})) {
    await installFile(source, join(dataDir, 'cluster', name));
  }
  const settings = [...TEST_SETTINGS, ...(options.settings ?? [])];
  const launch = (port?: number) => startEmbeddedPostgres({ dataDir, port, settings, log: silent });
  const server = await launch().catch(async (error: unknown) => {
    await rm(dataDir, { recursive: true, force: true });
    throw error;
  });
  return controls(server, { dataDir, launch });
}

/** The server reads a private key only if it is its own. */
async function installFile(source: string, place: string): Promise<void> {
  const { uid, gid } = await serverIdentity();
  await copyFile(source, place);
  await chmod(place, 0o600);
  if (uid !== undefined && gid !== undefined) await chown(place, uid, gid);
}

function controls(
  first: EmbeddedPostgres,
  { dataDir, launch }: { dataDir: string; launch: (port?: number) => Promise<EmbeddedPostgres> },
): TestPostgres {
  let server = first;
  let paused: readonly number[] = [];
  const closers: (() => Promise<void>)[] = [];

  const self: TestPostgres = {
    url: first.url,
    host: '127.0.0.1',
    port: first.port,
    dataDir,
    async createDatabase(name) {
      const maintenance = changeUrl(first.url, { database: 'postgres' });
      await self.sql(`CREATE DATABASE ${name} TEMPLATE latchkey_template`, [], maintenance);
      return changeUrl(first.url, { database: name });
    },
    sql: (text, values = [], url = first.url) => runSql(url, text, values),
    database(overrides = {}) {
      const database = createDatabase({
        url: first.url,
        applicationName: 'latchkey-test',
        log: silent,
        ...overrides,
      });
      closers.push(() => database.close());
      return database;
    },
    async createLogin(name, role) {
      await self.sql(`CREATE ROLE ${name} LOGIN PASSWORD '${name}-password'`);
      if (role !== undefined) await self.sql(`GRANT ${role} TO ${name}`);
      return changeUrl(first.url, { user: name, password: `${name}-password` });
    },
    async proxy(proxyOptions = {}) {
      const proxy = await createTcpProxy({ host: '127.0.0.1', port: first.port, ...proxyOptions });
      closers.push(() => proxy.close());
      return { proxy, url: changeUrl(first.url, { port: proxy.port }) };
    },
    stop: () => server.stop(),
    async start() {
      server = await launch(first.port);
    },
    async restart() {
      await server.stop();
      server = await launch(first.port);
    },
    async kill() {
      // Its children would answer for a moment longer, until they notice that they are alone.
      const children = await childrenOf(server.pid);
      for (const pid of [server.pid, ...children]) signal(pid, 'SIGKILL');
      await server.exited;
    },
    async pause() {
      // The parent first, so that it starts no further process in between.
      process.kill(server.pid, 'SIGSTOP');
      paused = [server.pid, ...(await childrenOf(server.pid))];
      for (const pid of paused.slice(1)) signal(pid, 'SIGSTOP');
    },
    async resume() {
      for (const pid of [...paused].reverse()) signal(pid, 'SIGCONT');
      paused = [];
    },
    async connections(applicationName) {
      const rows = await self.sql<{ count: number }>(
        'SELECT count(*)::int FROM pg_stat_activity WHERE application_name = $1',
        [applicationName],
      );
      return rows[0]?.count ?? 0;
    },
    async close() {
      await self.resume();
      await Promise.all(closers.map((close) => close()));
      const leaked = await leakedConnections(first.url);
      await server.stop();
      await rm(dataDir, { recursive: true, force: true });
      if (leaked.length > 0) throw new Error(`Connections were left open: ${leaked.join(', ')}`);
    },
  };
  return self;
}

async function runSql<Row extends object>(
  url: string,
  text: string,
  values: readonly unknown[],
): Promise<Row[]> {
  const client = new Client({ connectionString: url, application_name: 'latchkey-test-sql' });
  await client.connect();
  try {
    const result = await client.query<Row>(text, [...values]);
    return result.rows;
  } finally {
    await client.end();
  }
}

/** Who is still connected, once the closing of connections has had its time. Empty when the server is down. */
async function leakedConnections(url: string): Promise<string[]> {
  const text = `SELECT application_name FROM pg_stat_activity
    WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()`;
  let names: string[] = [];
  for (let attempt = 0; attempt < LEAK_CHECKS_MAX; attempt += 1) {
    const rows = await runSql<{ application_name: string }>(url, text, []).catch(() => []);
    names = rows.map(({ application_name }) => application_name);
    if (names.length === 0) break;
    await delay(LEAK_CHECK_INTERVAL_MS);
  }
  return names;
}

/** A server's child may end by itself at any moment. */
function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It was faster.
  }
}

async function childrenOf(pid: number): Promise<number[]> {
  const { stdout } = await run('ps', ['-e', '-o', 'pid=,ppid=']);
  return stdout
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
    .filter(([, parent]) => parent === pid)
    .map(([child]) => child ?? 0);
}
