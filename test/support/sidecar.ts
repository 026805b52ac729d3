import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Ending, type StartedProcess, startProcess } from './child-process.ts';
import { freePort } from './free-port.ts';
import { hasFields, type LogLine, parsedLines } from './log-lines.ts';
import { adminPage, type ReadyAnswer, readyz, seriesValue } from './sidecar-admin.ts';
import { until } from './until.ts';

export const E2E_POLICY = fileURLToPath(new URL('../fixtures/e2e-policy.yaml', import.meta.url));

/** Hundreds of processes start from the same sources: without what the first one compiled, each takes twice as long. */
const COMPILE_CACHE = fileURLToPath(new URL('../../.cache/node-compile', import.meta.url));

const ENTRIES = { src: '../../src/main.ts', dist: '../../dist/main.js' } as const;

/** What every test runs that does not name its entry: LATCHKEY_TEST_ENTRY, or the sources. */
const DEFAULT_ENTRY = entryNamed(process.env['LATCHKEY_TEST_ENTRY'] ?? 'src');

function entryNamed(name: string): keyof typeof ENTRIES {
  if (name === 'src' || name === 'dist') return name;
  throw new Error(`LATCHKEY_TEST_ENTRY is ${name}; it can be src or dist.`);
}

const READY_TIMEOUT_MS = 20_000;
const STOP_TIMEOUT_MS = 20_000;

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
  /** `dist`: what `npm run build` made; absent: what LATCHKEY_TEST_ENTRY says, or else the sources. */
  readonly entry?: keyof typeof ENTRIES;
  /** What runs it instead of this Node alone, such as a Node with flags, or `taskset` and a Node. */
  readonly command?: readonly [string, ...string[]];
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
    entry: setup.entry ?? DEFAULT_ENTRY,
    ...(setup.command && { command: setup.command }),
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
  const started = startLatchkey(args, { entry: DEFAULT_ENTRY, variables, ...(stdin && { stdin }) });
  const { code } = await started.exited;
  const whole = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join('');
  return { code, stdout: whole(started.stdout()), stderr: whole(started.stderr()) };
}

interface Start {
  readonly entry: keyof typeof ENTRIES;
  readonly command?: readonly [string, ...string[]];
  readonly variables: Variables;
  readonly stdin?: string;
}

function startLatchkey(args: readonly string[], { entry, command, variables, stdin }: Start) {
  const [file, ...before] = command ?? [process.execPath];
  const main = fileURLToPath(new URL(ENTRIES[entry], import.meta.url));
  const env = {
    PATH: process.env['PATH'] ?? '',
    HOME: process.env['HOME'] ?? '',
    NODE_COMPILE_CACHE: COMPILE_CACHE,
    ...variables,
  };
  return startProcess(file, [...before, main, ...args], { env, ...(stdin && { stdin }) });
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
