import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';

/** Envoy opens its listeners in under a second; a loaded machine takes several. */
const READY_TIMEOUT_MS = 30_000;
/** Envoy leaves at once on SIGTERM. What does not within this time hangs. */
const STOP_TIMEOUT_MS = 5_000;
const POLL_INTERVAL_MS = 25;
/** A question to the admin port is answered from memory. */
const ADMIN_TIMEOUT_MS = 5_000;
/** Enough for the end of a start that failed; what runs for days must not fill memory. */
const LOG_LINES_MAX = 500;
/** Envoy's reason stands in one of the last lines before it gives up. */
const TAIL_LINES = 10;

export interface EnvoyOptions {
  readonly binary: string;
  /** YAML. Ports may be 0: `port` and `adminPort` tell which ones they became. */
  readonly configText: string;
  /** Worker threads, and so connections to latchkey. */
  readonly concurrency?: number;
  readonly readyTimeoutMs?: number;
  readonly stopTimeoutMs?: number;
}

export type EnvoyStart =
  | { readonly kind: 'running'; readonly envoy: RunningEnvoy }
  /** `message` ends with what Envoy said last. */
  | { readonly kind: 'failed'; readonly message: string };

export interface RunningEnvoy {
  /** Of the first listener. */
  readonly port: number;
  readonly adminPort: number;
  /** Resolves when the process has ended, wanted or not, with a few words on how. */
  readonly exited: Promise<string>;
  /** Envoy's own last log lines, oldest first. */
  readonly log: () => readonly string[];
  /** The last lines of the access log, oldest first; they arrive with a delay of some hundred milliseconds. */
  readonly accessLog: () => readonly string[];
  /** SIGTERM, and SIGKILL after a deadline. Safe to call twice. */
  readonly stop: () => Promise<void>;
}

/** Starts Envoy and waits until its listeners take connections. A process that fails to get there is ended. */
export async function startEnvoyProcess(options: EnvoyOptions): Promise<EnvoyStart> {
  const folder = await mkdtemp(join(tmpdir(), 'latchkey-envoy-'));
  const spawned = await spawnEnvoy(options, folder);
  const stop = async (): Promise<void> => {
    await end(spawned, options.stopTimeoutMs ?? STOP_TIMEOUT_MS);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const ports = await whenReady(spawned, folder, options.readyTimeoutMs ?? READY_TIMEOUT_MS);
    const { exited, log, accessLog } = spawned;
    return { kind: 'running', envoy: { ...ports, exited, log, accessLog, stop } };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const tail = spawned.log().slice(-TAIL_LINES).join('\n');
    await stop();
    return { kind: 'failed', message: `Envoy did not start: ${why}\n${tail}` };
  }
}

/** The body of one page of Envoy's admin interface. */
export function adminPage(adminPort: number, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const address = { host: '127.0.0.1', port: adminPort, path, agent: false as const };
    const request = get({ ...address, timeout: ADMIN_TIMEOUT_MS }, (response) => {
      text(response).then((body) => {
        if (response.statusCode === 200) resolve(body);
        else reject(new Error(`admin ${path}: ${response.statusCode} ${body.trim()}`));
      }, reject);
    });
    request.once('error', reject);
    request.once('timeout', () => request.destroy(new Error(`admin ${path}: no answer`)));
  });
}

interface Spawned {
  readonly child: ChildProcess;
  readonly exited: Promise<string>;
  readonly log: () => readonly string[];
  readonly accessLog: () => readonly string[];
}

async function spawnEnvoy(options: EnvoyOptions, folder: string): Promise<Spawned> {
  const configPath = join(folder, 'envoy.yaml');
  await writeFile(configPath, options.configText);
  const args = [
    ...['--config-path', configPath, '--admin-address-path', adminAddressPath(folder)],
    ...['--concurrency', String(options.concurrency ?? 1)],
    // Hot restart shares memory between all Envoys of one base id: two of them on a machine would refuse to start.
    '--disable-hot-restart',
    // The default of ten seconds would keep the access log from whoever reads along.
    ...['--file-flush-interval-msec', '100', '--log-level', 'info'],
  ];
  const child = spawn(options.binary, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  // An ending of ours that forgets to stop Envoy must not leave it behind.
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  const exited = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, signal) => resolve(signal ?? `exit code ${code}`));
  });
  void exited.then(() => process.removeListener('exit', kill));
  return { child, exited, log: lastLines(child.stderr), accessLog: lastLines(child.stdout) };
}

const adminAddressPath = (folder: string): string => join(folder, 'admin-address');

function lastLines(stream: NodeJS.ReadableStream): () => readonly string[] {
  const lines: string[] = [];
  createInterface({ input: stream }).on('line', (line) => {
    lines.push(line);
    if (lines.length > LOG_LINES_MAX) lines.shift();
  });
  return () => lines;
}

interface Ports {
  readonly port: number;
  readonly adminPort: number;
}

async function whenReady(spawned: Spawned, folder: string, timeoutMs: number): Promise<Ports> {
  const deadlineMs = performance.now() + timeoutMs;
  let ended: string | undefined;
  void spawned.exited.then((how) => {
    ended = how;
  });
  let lastFailure: unknown;
  while (performance.now() < deadlineMs) {
    if (ended !== undefined) throw new Error(ended);
    try {
      return await readPorts(folder);
    } catch (error) {
      lastFailure = error;
    }
    await delay(POLL_INTERVAL_MS);
  }
  throw new Error(`not ready within ${timeoutMs} ms (${String(lastFailure)})`);
}

async function readPorts(folder: string): Promise<Ports> {
  const adminPort = portOf(await readFile(adminAddressPath(folder), 'utf8'));
  await adminPage(adminPort, '/ready');
  // `name::127.0.0.1:10000`, a line per listener.
  const first = (await adminPage(adminPort, '/listeners')).split('\n')[0] ?? '';
  return { port: portOf(first), adminPort };
}

function portOf(address: string): number {
  const port = Number(address.trim().split(':').at(-1));
  if (!Number.isInteger(port) || port <= 0) throw new Error(`no port in ${address}`);
  return port;
}

async function end({ child, exited }: Spawned, timeoutMs: number): Promise<void> {
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
  await exited;
  clearTimeout(timer);
}
