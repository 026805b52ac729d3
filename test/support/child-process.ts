import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/** How a process ended. */
export interface Ending {
  /** `null` when a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface StartedProcess {
  readonly pid: number;
  readonly exited: Promise<Ending>;
  /** Lines of standard output and of standard error, oldest first; what comes beyond `LINES_MAX` is not kept. */
  stdout(): readonly string[];
  stderr(): readonly string[];
  kill(signal: NodeJS.Signals): void;
}

/** More than any test makes a process say; a runaway process must not fill memory. */
const LINES_MAX = 100_000;

export interface ProcessSetup {
  readonly env: Readonly<Record<string, string>>;
  readonly stdin?: string;
  /** Where it starts; absent: where this process is. */
  readonly cwd?: string;
  /** As whom it runs, by number: for root alone. */
  readonly uid?: number;
  readonly gid?: number;
}

/** Starts a process that does not outlive this one. Only what `env` says is in its environment. */
export function startProcess(
  command: string,
  args: readonly string[],
  { stdin, ...setup }: ProcessSetup,
): StartedProcess {
  const child = spawn(command, args, { ...setup, stdio: ['pipe', 'pipe', 'pipe'] });
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  const exited = new Promise<Ending>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal }));
  });
  void exited.finally(() => process.removeListener('exit', kill)).catch(() => {});
  // A process that ends without reading its input is no fault of the test.
  child.stdin.on('error', () => {});
  child.stdin.end(stdin ?? '');
  return {
    pid: pidOf(child),
    exited,
    stdout: lastLines(child.stdout),
    stderr: lastLines(child.stderr),
    kill: (signal) => void child.kill(signal),
  };
}

function pidOf({ pid }: ChildProcess): number {
  if (pid === undefined) throw new Error('the process could not be started');
  return pid;
}

function lastLines(stream: NodeJS.ReadableStream): () => readonly string[] {
  const lines: string[] = [];
  createInterface({ input: stream }).on('line', (line) => {
    if (lines.length < LINES_MAX) lines.push(line);
  });
  return () => lines;
}
