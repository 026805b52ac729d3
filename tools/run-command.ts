import { spawn } from 'node:child_process';
import { join } from 'node:path';

/** The repository's root; every tool works from there, wherever it was started. */
export const ROOT = join(import.meta.dirname, '..');

const ENDING_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Runs a command on this terminal. Gives its exit code; a command that a signal ended counts as 1. A signal that is to end
 * this process ends the command first: nothing goes on running behind a run that was broken off.
 */
export function runCommand(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: ROOT, stdio: 'inherit', env });
    let received: NodeJS.Signals | undefined;
    const passOn = (signal: NodeJS.Signals): void => {
      received = signal;
      child.kill(signal);
    };
    for (const signal of ENDING_SIGNALS) process.on(signal, passOn);
    child.once('error', reject);
    child.once('close', (code) => {
      for (const signal of ENDING_SIGNALS) process.removeListener(signal, passOn);
      if (received === undefined) resolve(code ?? 1);
      else process.kill(process.pid, received);
    });
  });
}

/** `12345` → `12.3 s`. */
export function inSeconds(durationMs: number): string {
  return `${(durationMs / 1000).toFixed(1)} s`;
}
