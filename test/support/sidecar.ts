import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { get } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { type Ending, type StartedProcess, startProcess } from './child-process.ts';
import { until } from './until.ts';

export const E2E_POLICY = fileURLToPath(new URL('../fixtures/e2e-policy.yaml', import.meta.url));

/** Hundreds of processes start from the same sources: without what the first one compiled, each takes twice as long. */
const COMPILE_CACHE = fileURLToPath(new URL('../../.cache/node-compile', import.meta.url));

const ENTRIES = { src: '../../src/main.ts', dist: '../../dist/main.js' } as const;

const READY_TIMEOUT_MS = 20_000;
const STOP_TIMEOUT_MS = 20_000;
const ADMIN_TIMEOUT_MS = 5_000;

export type Variables = Readonly<Record<`LATCHKEY_${string}`, string>>;

export interface SidecarSetup {
  readonly databaseUrl: string;
  /** The file that is served; absent: a copy of test/fixtures/e2e-policy.yaml, which a test may change. */
  readonly policyFile?: string;
  /** Where it listens; absent: in a folder of its own. A successor takes the place of a sidecar that has ended. */
  readonly socketPath?: string;
  /** The name in `replicas` and in every log line. */
  readonly name?: string;
  readonly variables?: Variables;
  /** `dist`: what `npm run build` made. */
  readonly entry?: keyof typeof ENTRIES;
  /** `false`: returns at once, for sidecars that cannot be ready yet. */
  readonly waitUntilReady?: boolean;
}

/** `latchkey serve` in a process of its own, on a Unix socket and a free admin port. */
export interface Sidecar {
  readonly name: string;
  readonly pid: number;
  /** For `startEnvoy({ check })` and the check client. */
  readonly socketPath: string;
  readonly adminPort: number;
  readonly policyFile: string;
  readonly exited: Promise<Ending>;
  readyz(): Promise<ReadyAnswer>;
  /** Resolves when /readyz gives this state. */
  reached(state: ReadyAnswer['state']): Promise<void>;
  /** The text of a scrape. */
  metrics(): Promise<string>;
  /** The value of one series, such as `latchkey_cache_entries{kind="absence"}`; 0 where there is none. */
  metric(series: string): Promise<number>;
  /** Lines of standard output as they came, and as objects. */
  stdout(): readonly string[];
  log(): readonly LogLine[];
  /** Resolves with the last log line that has all these fields, as soon as there is one. */
  logged(fields: LogLine): Promise<LogLine>;
  stderr(): readonly string[];
  signal(signal: NodeJS.Signals): void;
  /** Ends the process, by SIGKILL if it takes too long, and removes its folder. Safe to call twice. */
  stop(signal?: NodeJS.Signals): Promise<Ending>;
}

export type LogLine = Readonly<Record<string, unknown>>;

export interface ReadyAnswer {
  readonly status: number;
  readonly state: 'ready' | 'degraded' | 'not_ready' | 'silent';
}

/** Drains at once, since nobody waits; says everything, since tests read it; and refuses no flood unless told to. */
const VARIABLES: Variables = {
  LATCHKEY_DRAIN_WAIT: '0ms',
  LATCHKEY_DRAIN_GRACE: '2s',
  LATCHKEY_DENIAL_LOG_RATE: '100000',
  LATCHKEY_MISSES_PER_SECOND: '100000',
  LATCHKEY_MISSES_BURST: '100000',
};

export async function startSidecar(setup: SidecarSetup): Promise<Sidecar> {
  const { name = 'sidecar', databaseUrl, waitUntilReady = true } = setup;
  const folder = await mkdtemp(join(tmpdir(), 'latchkey-sidecar-'));
  const policyFile = setup.policyFile ?? join(folder, 'policy.yaml');
  if (setup.policyFile === undefined) await copyFile(E2E_POLICY, policyFile);
  const socketPath = setup.socketPath ?? join(folder, 'check.sock');
  const adminPort = await freePort();
  const started = startLatchkey(['serve'], {
    entry: setup.entry ?? 'src',
    variables: {
      ...VARIABLES,
      LATCHKEY_DATABASE_URL: databaseUrl,
      LATCHKEY_POLICY: policyFile,
      LATCHKEY_CHECK_LISTEN: `unix:${socketPath}`,
      LATCHKEY_ADMIN_LISTEN: `127.0.0.1:${adminPort}`,
      LATCHKEY_REPLICA_NAME: name,
      ...setup.variables,
    },
  });
  const sidecar = controls(started, { name, socketPath, adminPort, policyFile, folder });
  if (waitUntilReady) await whenReady(sidecar);
  return sidecar;
}

/** The output of one command of the command line. */
export interface CommandOutput {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs one command to its end. */
export async function latchkey(
  args: readonly string[],
  variables: Variables,
  stdin?: string,
): Promise<CommandOutput> {
  const started = startLatchkey(args, { entry: 'src', variables, ...(stdin && { stdin }) });
  const { code } = await started.exited;
  const whole = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join('');
  return { code, stdout: whole(started.stdout()), stderr: whole(started.stderr()) };
}

interface Start {
  readonly entry: keyof typeof ENTRIES;
  readonly variables: Variables;
  readonly stdin?: string;
}

function startLatchkey(args: readonly string[], { entry, variables, stdin }: Start) {
  const main = fileURLToPath(new URL(ENTRIES[entry], import.meta.url));
  const env = {
    PATH: process.env['PATH'] ?? '',
    HOME: process.env['HOME'] ?? '',
    NODE_COMPILE_CACHE: COMPILE_CACHE,
    ...variables,
  };
  return startProcess(process.execPath, [main, ...args], { env, ...(stdin && { stdin }) });
}

/** Taken and given back: nobody else asks for this port in the second until the sidecar does. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo; // It listens on TCP.
  await new Promise((resolve) => server.close(resolve));
  return port;
}

interface Place {
  readonly name: string;
  readonly socketPath: string;
  readonly adminPort: number;
  readonly policyFile: string;
  readonly folder: string;
}

function controls(started: StartedProcess, { folder, ...place }: Place): Sidecar {
  const { adminPort, name } = place;
  const log = parsedLines(started.stdout);
  const self: Sidecar = {
    ...place,
    pid: started.pid,
    exited: started.exited,
    readyz: () => readyz(adminPort),
    reached: (state) =>
      until(
        `${name} is ${state}`,
        async () => (await readyz(adminPort)).state === state,
        READY_TIMEOUT_MS,
      ),
    metrics: async () => (await adminPage(adminPort, '/metrics')).body,
    metric: async (series) => seriesValue(await self.metrics(), series),
    stdout: started.stdout,
    log,
    async logged(fields) {
      let found: LogLine | undefined;
      await until(`a log line of ${name} with ${JSON.stringify(fields)}`, () => {
        found = log().findLast((line) => hasFields(line, fields));
        return found !== undefined;
      });
      return found ?? {};
    },
    stderr: started.stderr,
    signal: started.kill,
    async stop(signal = 'SIGTERM') {
      started.kill(signal);
      // A process that was stopped by SIGSTOP hears nothing else.
      started.kill('SIGCONT');
      const timer = setTimeout(() => started.kill('SIGKILL'), STOP_TIMEOUT_MS);
      const ending = await started.exited;
      clearTimeout(timer);
      await rm(folder, { recursive: true, force: true });
      return ending;
    },
  };
  return self;
}

async function whenReady(sidecar: Sidecar): Promise<void> {
  const ended = sidecar.exited.then(({ code }) => {
    const why = [...sidecar.stderr(), ...sidecar.stdout()].slice(-20).join('\n');
    throw new Error(`latchkey serve ended with ${code}:\n${why}`);
  });
  ended.catch(() => {});
  try {
    await Promise.race([sidecar.reached('ready'), ended]);
  } catch (error) {
    await sidecar.stop('SIGKILL');
    throw error;
  }
}

async function readyz(adminPort: number): Promise<ReadyAnswer> {
  try {
    const { status, body } = await adminPage(adminPort, '/readyz');
    return { status, state: JSON.parse(body).state };
  } catch {
    return { status: 0, state: 'silent' };
  }
}

function adminPage(port: number, path: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const request = get({ host: '127.0.0.1', port, path, agent: false }, (response) => {
      text(response).then((body) => resolve({ status: response.statusCode ?? 0, body }), reject);
    });
    request.setTimeout(ADMIN_TIMEOUT_MS, () => request.destroy(new Error(`no answer to ${path}`)));
    request.once('error', reject);
  });
}

function seriesValue(metrics: string, series: string): number {
  const line = metrics.split('\n').find((candidate) => candidate.startsWith(`${series} `));
  return line === undefined ? 0 : Number(line.slice(series.length + 1));
}

/** Each line is parsed once: tests look again and again. */
function parsedLines(lines: () => readonly string[]): () => readonly LogLine[] {
  const parsed: LogLine[] = [];
  return () => {
    for (const line of lines().slice(parsed.length)) parsed.push(parseLine(line));
    return parsed;
  };
}

/** Whatever is no JSON is kept: a test that looks for secrets must see it. */
function parseLine(line: string): LogLine {
  try {
    return JSON.parse(line);
  } catch {
    return { unparsed: line };
  }
}

function hasFields(line: LogLine, fields: LogLine): boolean {
  return Object.entries(fields).every(([name, value]) => line[name] === value);
}
