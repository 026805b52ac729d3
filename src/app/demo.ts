import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Accounts } from '../accounts/accounts.ts';
import type { Flags, Terminal } from '../cli/ports.ts';
import type { Environment } from '../config/read-config.ts';
import { PepperKeyring } from '../secrets/pepper-keyring.ts';
import { createAccounts } from './accounts.ts';
import { createDemoKeys, type DemoKeys } from './demo-keys.ts';
import { runSmoke } from './demo-smoke.ts';
import { curlOf, DEMO_STEPS, variableOf } from './demo-steps.ts';
import { startEchoUpstream } from './echo-upstream.ts';
import { findEnvoy } from './envoy-binary.ts';
import { adaptEnvoyConfig } from './envoy-config.ts';
import { type RunningEnvoy, startEnvoyProcess } from './envoy-process.ts';
import { readCheckedServeConfig } from './read-serve-config.ts';
import { type RunningServer, startServer } from './server.ts';
import { nextSignal } from './signals.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const POLICY_FILE = join(ROOT, 'examples', 'policy.yaml');
const ENVOY_FILE = join(ROOT, 'envoy.yaml');
const SETUP_TIMEOUT_MS = 60_000;
const SILENT = { write() {}, end: () => Promise.resolve() };

interface Surroundings {
  readonly terminal: Terminal;
  readonly environment: Environment;
}

/** What runs while the demo runs. */
export interface Demo {
  readonly server: RunningServer;
  readonly envoy: RunningEnvoy;
  readonly accounts: Accounts;
  readonly keys: DemoKeys;
  readonly embeddedDir: string;
}

/** Everything on this machine, in a folder of its own that is gone afterwards. Gives the exit code. */
export async function runDemo(flags: Flags, surroundings: Surroundings): Promise<number> {
  const { terminal } = surroundings;
  // Last in, first out: what was started last is stopped first.
  const closers: (() => Promise<unknown>)[] = [];
  const stopping = nextSignal();
  try {
    const { stop } = stopping;
    const demo = await startDemo(flags, { ...surroundings, closers, stop });
    if (typeof demo === 'string') {
      terminal.err(stop.aborted ? 'Stopped.' : `latchkey: ${demo}`);
      return 1;
    }
    if (flags['smoke'] === true) {
      return await Promise.race([runSmoke(demo, terminal), stopping.signal.then(() => 1)]);
    }
    for (const line of instructions(demo)) terminal.out(line);
    const ended = demo.envoy.exited.then((how) => `Envoy ended: ${how}`);
    const asked = stopping.signal.then((signal) => ({ why: signal, code: 0 }));
    const broken = Promise.race([ended, demo.server.lost]).then((why) => ({ why, code: 1 }));
    const { why, code } = await Promise.race([asked, broken]);
    terminal.err(`${why.replace(/\.$/, '')}: stopping.`);
    return code;
  } finally {
    for (const close of closers.reverse()) await close();
    stopping.ignore();
  }
}

interface Starting extends Surroundings {
  /** Gets what is to be closed, as soon as it is open. */
  readonly closers: (() => Promise<unknown>)[];
  readonly stop: AbortSignal;
}

const STOPPED = 'Stopped before it ran.';

/** A started demo, or one line that says why there is none. */
async function startDemo(
  flags: Flags,
  { terminal, environment, closers, stop }: Starting,
): Promise<Demo | string> {
  const port = Number(flags['port'] ?? 10_000);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    return `--port ${String(flags['port'])} is no port. Give a number up to 65535; 0 takes any free one.`;
  }
  if (!(await isFree(port))) {
    return `Port ${port} is taken, perhaps by another demo. Stop that, or choose another one with --port; 0 takes any free one.`;
  }
  terminal.err('Looking for Envoy (the first time it is downloaded, some 40 MB) …');
  const binary = await findEnvoy({
    envoyBin: environment['ENVOY_BIN'],
    searchPath: environment['PATH'],
    signal: stop,
  });
  if (binary.kind === 'missing') return binary.message;
  if (stop.aborted) return STOPPED;

  const folder = await mkdtemp(join(tmpdir(), 'latchkey-demo-'));
  closers.push(() => rm(folder, { recursive: true, force: true }));
  // Under root, Postgres runs as another user, who has to pass through; what lies inside has its own permissions.
  await chmod(folder, 0o711);
  const embeddedDir = join(folder, 'postgres');
  const socketPath = join(folder, 'check.sock');
  terminal.err('Starting Postgres and latchkey …');
  const reading = readCheckedServeConfig({}, demoEnvironment(embeddedDir, socketPath));
  if (reading.kind === 'invalid') return reading.problems.join(' ');
  const started = await startServer(reading.config, { openSink: () => SILENT });
  if (started.kind === 'refused') return started.message;
  const server = started.value;
  closers.push(() => server.stop());
  if (stop.aborted) return STOPPED;

  const upstream = await startEchoUpstream({ port: 0 });
  closers.push(() => upstream.close());
  terminal.err('Starting Envoy …');
  const configText = adaptEnvoyConfig(await readFile(ENVOY_FILE, 'utf8'), {
    listener: { address: '127.0.0.1', port },
    admin: { port: 0 },
    check: [{ socketPath }],
    upstream: { port: upstream.port },
  });
  const envoy = await startEnvoyProcess({ binary: binary.path, configText, concurrency: 1 });
  if (envoy.kind === 'failed') return envoy.message;
  closers.push(() => envoy.envoy.stop());
  if (stop.aborted) return STOPPED;

  const accounts = createAccounts(server.database, new PepperKeyring([]));
  const keys = await createDemoKeys(
    accounts,
    server.policy().keyFormat,
    AbortSignal.timeout(SETUP_TIMEOUT_MS),
  );
  return { server, envoy: envoy.envoy, accounts, keys, embeddedDir };
}

/** Envoy shares its port with any other Envoy that asks for the same (SO_REUSEPORT), so it would not complain itself. */
function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen({ host: '127.0.0.1', port }, () => probe.close(() => resolve(true)));
  });
}

/** The demo's own settings, and none of the surrounding shell's. */
function demoEnvironment(embeddedDir: string, socketPath: string): Record<string, string> {
  return {
    LATCHKEY_ROLE: 'all',
    LATCHKEY_EMBEDDED_DIR: embeddedDir,
    LATCHKEY_POLICY: POLICY_FILE,
    LATCHKEY_CHECK_LISTEN: `unix:${socketPath}`,
    LATCHKEY_ADMIN_LISTEN: '127.0.0.1:0',
    LATCHKEY_REPLICA_NAME: 'demo',
    // Envoy goes first when the demo ends: there is nobody to wait for.
    LATCHKEY_DRAIN_WAIT: '0ms',
    LATCHKEY_DRAIN_GRACE: '1s',
    LATCHKEY_LOG_LEVEL: 'silent',
  };
}

function instructions({ envoy, keys, server, embeddedDir }: Demo): string[] {
  const origin = `http://127.0.0.1:${envoy.port}`;
  const admin = `http://${server.adminAddress.host}:${server.adminAddress.port}`;
  const names = ['reader', 'writer', 'trial'] as const;
  return [
    '',
    `Envoy listens on ${origin}. Metrics: ${admin}/metrics`,
    '',
    'In another terminal, in this folder, paste:',
    '',
    ...names.map((name) => `export ${variableOf(name)}=${keys[name].text}`),
    `export LATCHKEY_EMBEDDED_DIR=${embeddedDir} LATCHKEY_POLICY=${POLICY_FILE}`,
    ...DEMO_STEPS.flatMap((step) => [
      '',
      `# ${step.expectStatus}: ${step.title}`,
      curlOf(step, origin),
    ]),
    '',
    '# revoke a key, and be told when every replica refuses it',
    `npm run -s latchkey -- keys revoke ${keys.reader.record.id} --wait`,
    '',
    '# and list those there are',
    'npm run -s latchkey -- keys list',
    '',
    'Ctrl-C stops everything.',
  ];
}
