import { fileURLToPath } from 'node:url';
import { type Sidecar, startSidecar, type Variables } from '../../support/sidecar.ts';
import { type Subject, TRACE_GC } from './subject.ts';

const POLICY = fileURLToPath(new URL('./policy.yaml', import.meta.url));

/** Room in the cache beyond the keys, so that nothing is pushed out. */
const SPARE_ENTRIES = 20_000;

export interface LatchkeySubject extends Subject {
  readonly sidecar: Sidecar;
  readonly keys: number;
}

export interface LatchkeySetup {
  readonly name: string;
  readonly databaseUrl: string;
  readonly keys: number;
  readonly prefix: readonly string[];
  /** For V8. */
  readonly nodeFlags?: readonly string[];
  readonly variables?: Variables;
  readonly entry?: 'src' | 'dist';
}

/** `latchkey serve`, with its defaults but for the room in its cache, and what the tests change set back. */
export async function startLatchkeySubject(setup: LatchkeySetup): Promise<LatchkeySubject> {
  const { prefix, nodeFlags = [], name, entry = 'src' } = setup;
  const [command = process.execPath, ...rest] = [
    ...[...prefix, process.execPath],
    ...[TRACE_GC, ...nodeFlags],
  ];
  const sidecar = await startSidecar({
    ...{ databaseUrl: setup.databaseUrl, policyFile: POLICY, entry, command: [command, ...rest] },
    variables: {
      LATCHKEY_CACHE_CREDENTIALS_MAX: String(setup.keys + SPARE_ENTRIES),
      LATCHKEY_DENIAL_LOG_RATE: '20',
      LATCHKEY_MISSES_PER_SECOND: '50',
      LATCHKEY_MISSES_BURST: '200',
      ...setup.variables,
    },
  });
  return {
    ...{ name, target: { socketPath: sidecar.socketPath }, pids: [sidecar.pid] },
    ...{ keys: setup.keys },
    ...{ sidecar, stdout: sidecar.stdout },
    async stop() {
      await sidecar.stop();
    },
  };
}
