import { refusal } from '../../../src/accounts/result.ts';
import { jsonLine, printable } from '../../../src/cli/output.ts';
import type { Flags, Runtime } from '../../../src/cli/ports.ts';
import { runCommandLine } from '../../../src/cli/program.ts';

export interface Recorded {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  /** Which of the runtime's doors were used, with the options that were given. */
  readonly calls: readonly (readonly [door: string, flags: Flags])[];
}

/** Runs a command line up to the doors of the application, and says what would have gone through them. */
export async function runRecorded(
  argv: readonly string[],
  changes: Partial<Runtime> = {},
): Promise<Recorded> {
  const { runtime, recorded } = recordingRuntime();
  const code = await runCommandLine(argv, { ...runtime, ...changes });
  return { code, ...recorded() };
}

/** A runtime whose doors lead nowhere. */
export function recordingRuntime(): {
  readonly runtime: Runtime;
  recorded(): Omit<Recorded, 'code'>;
} {
  const out: string[] = [];
  const err: string[] = [];
  const calls: [string, Flags][] = [];
  const record = (door: string, flags: Flags): void => void calls.push([door, flags]);
  const runtime: Runtime = {
    terminal: {
      out: (line) => void out.push(printable(line)),
      err: (line) => void err.push(printable(line)),
      json: (value) => void out.push(jsonLine(value)),
      read: async (path) => {
        record(`read ${path}`, {});
        return refusal('invalid', `${path} is not there.`);
      },
    },
    version: '1.2.3',
    serve: async (flags) => {
      record('serve', flags);
      return 0;
    },
    demo: async (flags) => {
      record('demo', flags);
      return 0;
    },
    migrate: async (flags) => {
      record('migrate', flags);
      return 0;
    },
    checkConfig(flags) {
      record('checkConfig', flags);
      return { kind: 'ok', summary: { LATCHKEY_ROLE: 'check' }, warnings: [] };
    },
    readPolicy: async (flags) => {
      record('readPolicy', flags);
      return { kind: 'ok', value: undefined };
    },
    openAccounts: async (flags) => {
      record('openAccounts', flags);
      return refusal('unavailable', 'The store is away.');
    },
  };
  return { runtime, recorded: () => ({ out: out.join('\n'), err: err.join('\n'), calls }) };
}
