import { type ChildProcess, spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { identityOptions, type ServerBinaries } from './embedded-binaries.ts';
import { EmbeddedPostgresError } from './embedded-error.ts';
import type { ServerFolder } from './embedded-folder.ts';
import type { ServerIdentity } from './embedded-identity.ts';
import type { PostgresLog } from './log.ts';

/** Recovery after a crash replays at most max_wal_size, 1 GB by default: well within this on any disk. */
const READY_DEADLINE_MS = 60_000;
const READY_POLL_MS = 20;
/** A fast shutdown rolls back what is open and writes a checkpoint. */
const FAST_SHUTDOWN_DEADLINE_MS = 10_000;
const IMMEDIATE_SHUTDOWN_DEADLINE_MS = 5_000;
/** Of the server's messages, as many as an error quotes. */
const LAST_MESSAGES_MAX = 5;

/**
 * $0 is a name for `ps`, the rest is the server's command. The shell becomes the server; the watcher that it leaves
 * behind reads from descriptor 3, whose other end only we hold. Told to, it goes away; when the pipe ends untold, we
 * are dead, and it asks the server for a fast shutdown. It is no child of the server, which would wonder at its end.
 */
const START_SCRIPT = `
( { IFS= read -r _ <&3 || kill -INT "$$"; } >/dev/null 2>&1 & )
exec "$@" 3<&-
`;

export interface ServerProcess {
  readonly pid: number;
  /** Resolves when the server is gone, whoever ended it, with how it ended: for the operator. */
  readonly exited: Promise<string>;
  stop(): Promise<void>;
}

export interface ServerStart {
  readonly folder: ServerFolder;
  readonly binaries: ServerBinaries;
  readonly identity: ServerIdentity;
  readonly port: number;
  /** Further settings, `name=value`. */
  readonly settings: readonly string[];
  readonly log: PostgresLog;
}

/** Resolves once the server takes connections. `port_taken` when another process has the port. */
export async function startServerProcess(
  start: ServerStart,
): Promise<ServerProcess | 'port_taken'> {
  const messages: string[] = [];
  const child = spawnServer(start);
  const exited = new Promise<string>((resolve) => {
    child.once('exit', (code, signal) => resolve(endingOf(code, signal, messages)));
    child.once('error', (error) => {
      messages.push(error.message);
      resolve(error.message);
    });
  });
  collectMessages(child, messages, start.log);
  void exited.then(() => dismissWatcher(child));

  const ready = await Promise.race([
    untilReady(start.folder, child),
    exited.then(() => 'exited' as const),
  ]);
  if (ready === 'ready' && child.pid !== undefined) {
    return { pid: child.pid, exited, stop: () => stopServer(child, exited, start.log) };
  }
  await stopServer(child, exited, start.log);
  if (messages.some((message) => message.includes('Address already in use'))) return 'port_taken';
  throw new EmbeddedPostgresError(
    ready === 'late'
      ? `The embedded Postgres in ${start.folder.root} was not ready after ${READY_DEADLINE_MS / 1000} s.`
      : `The embedded Postgres in ${start.folder.root} did not start: ${messages.join(' | ')}`,
  );
}

function spawnServer(start: ServerStart): ChildProcess {
  const settings = [
    'listen_addresses=127.0.0.1',
    `port=${start.port}`,
    'unix_socket_directories=',
    ...start.settings,
  ];
  const server = [start.binaries.postgres, '-D', start.folder.cluster];
  return spawn(
    '/bin/sh',
    [
      '-c',
      START_SCRIPT,
      'latchkey-postgres',
      ...server,
      ...settings.flatMap((setting) => ['-c', setting]),
    ],
    {
      ...identityOptions(start.identity),
      cwd: '/',
      env: { LC_ALL: 'C' },
      // A session of its own: Ctrl-C in the terminal reaches us, and we stop the server when we no longer need it.
      detached: true,
      stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
    },
  );
}

function collectMessages(child: ChildProcess, messages: string[], log: PostgresLog): void {
  child.stderr?.setEncoding('utf8');
  child.stderr?.on('data', (chunk: string) => {
    for (const line of chunk.split('\n')) {
      if (line === '') continue;
      log('debug', line);
      messages.push(line);
      if (messages.length > LAST_MESSAGES_MAX) messages.shift();
    }
  });
  child.stdio[3]?.on('error', () => {
    // The watcher is gone already; there is nobody left to tell.
  });
}

/** The server keeps its state in the eighth line of postmaster.pid, which is what `pg_ctl --wait` reads as well. */
async function untilReady(folder: ServerFolder, child: ChildProcess): Promise<'ready' | 'late'> {
  const pidFile = join(folder.cluster, 'postmaster.pid');
  const deadline = performance.now() + READY_DEADLINE_MS;
  while (performance.now() < deadline) {
    const lines = (await readFile(pidFile, 'utf8').catch(() => '')).split('\n');
    if (Number(lines[0]) === child.pid && isReady(lines[7])) return 'ready';
    if (child.exitCode !== null || child.signalCode !== null) return 'late';
    await delay(READY_POLL_MS);
  }
  return 'late';
}

/** A folder that holds a standby takes connections too. */
const isReady = (state: string | undefined): boolean =>
  state?.trim() === 'ready' || state?.trim() === 'standby';

function endingOf(
  code: number | null,
  signal: NodeJS.Signals | null,
  messages: readonly string[],
): string {
  if (signal !== null) return `killed by ${signal}`;
  // Of the server's messages only what ended it: others may quote rows.
  const why = messages.flatMap((message) => /(?:FATAL|PANIC): +(.*)$/.exec(message)?.[1] ?? []);
  return [`exit code ${code}`, ...why.slice(-1)].join(': ');
}

async function stopServer(
  child: ChildProcess,
  exited: Promise<unknown>,
  log: PostgresLog,
): Promise<void> {
  const steps = [
    { signal: 'SIGINT', deadlineMs: FAST_SHUTDOWN_DEADLINE_MS },
    { signal: 'SIGQUIT', deadlineMs: IMMEDIATE_SHUTDOWN_DEADLINE_MS },
  ] as const;
  for (const { signal, deadlineMs } of steps) {
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill(signal);
    if (await settlesWithin(exited, deadlineMs)) return;
    log('warn', `The embedded Postgres did not stop within ${deadlineMs} ms of ${signal}.`);
  }
  child.kill('SIGKILL');
  await exited;
}

/** The watcher must not outlive the server: the process number that it knows may get another owner. */
function dismissWatcher(child: ChildProcess): void {
  const pipe = child.stdio[3];
  if (pipe !== null && pipe !== undefined && 'end' in pipe) pipe.end('done\n');
}

async function settlesWithin(promise: Promise<unknown>, deadlineMs: number): Promise<boolean> {
  const timer = new AbortController();
  const late = delay(deadlineMs, false, { signal: timer.signal }).catch(() => false);
  const settled = await Promise.race([promise.then(() => true), late]);
  timer.abort();
  return settled;
}
