import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startProcess } from '../../support/child-process.ts';
import { until } from '../../support/until.ts';
import type { Target } from '../load/connection.ts';
import { LISTENING } from './listen.ts';

/** A server that is measured, in a process of its own. */
export interface Subject {
  readonly name: string;
  readonly target: Target;
  /** Its processes, itself first. */
  readonly pids: readonly number[];
  /** What it has said on standard output; with `--trace-gc` that is where V8 tells of collections. */
  stdout(): readonly string[];
  stop(): Promise<void>;
}

/** V8 says a line per collection, at next to no cost. */
export const TRACE_GC = '--trace-gc';

const SCRIPTS = {
  'proto-loader': './proto-loader-server.ts',
  'raw-bytes': './raw-bytes-server.ts',
} as const;

export interface ReferenceSetup {
  readonly script: keyof typeof SCRIPTS;
  readonly name: string;
  readonly args?: readonly string[];
  /** What pins it. */
  readonly prefix: readonly string[];
}

/** One of the servers that latchkey is compared with. */
export async function startReference(setup: ReferenceSetup): Promise<Subject> {
  const folder = await mkdtemp(join(tmpdir(), 'latchkey-bench-'));
  const socketPath = join(folder, 'check.sock');
  const script = fileURLToPath(new URL(SCRIPTS[setup.script], import.meta.url));
  const [command = '', ...args] = [...setup.prefix, process.execPath, TRACE_GC, script, socketPath];
  const env = { PATH: process.env['PATH'] ?? '' };
  const started = startProcess(command, [...args, ...(setup.args ?? [])], { env });
  await until(`${setup.name} listens`, () => started.stdout().includes(LISTENING));
  return {
    ...{ name: setup.name, target: { socketPath }, pids: [started.pid], stdout: started.stdout },
    async stop() {
      started.kill('SIGTERM');
      await started.exited;
      await rm(folder, { recursive: true, force: true });
    },
  };
}
