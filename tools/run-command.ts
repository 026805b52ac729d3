import { spawn } from 'node:child_process';
import { join } from 'node:path';

/** The repository's root; every tool works from there, wherever it was started. */
export const ROOT = join(import.meta.dirname, '..');

/** Runs a command on this terminal. Gives its exit code; a command that a signal ended counts as 1. */
export function runCommand(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: ROOT, stdio: 'inherit', env });
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? 1));
  });
}

/** `12345` → `12.3 s`. */
export function inSeconds(durationMs: number): string {
  return `${(durationMs / 1000).toFixed(1)} s`;
}
