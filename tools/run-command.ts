import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** The repository's root; every tool works from there, wherever it was started. */
export const ROOT = join(import.meta.dirname, '..');

const ENDING_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** What a command leaves running is told to end, and this much later made to. */
const LEFT_BEHIND_MS = 5_000;
const LEFT_BEHIND_POLL_MS = 50;

/**
 * Runs a command on this terminal, without its input. Gives its exit code; a command that a signal ended counts as 1. The
 * command has a process group of its own: a signal that is to end this process ends the group first, and what the command left
 * running in it ends with it. Nothing goes on behind a run that failed or was broken off.
 */
export function runCommand(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: ROOT,
      env,
      stdio: ['ignore', 'inherit', 'inherit'],
      detached: true,
    });
    let received: NodeJS.Signals | undefined;
    const passOn = (signal: NodeJS.Signals): void => {
      received = signal;
      signalGroup(child.pid, signal);
    };
    for (const signal of ENDING_SIGNALS) process.on(signal, passOn);
    child.once('error', reject);
    child.once('close', async (code) => {
      await endGroup(child.pid);
      for (const signal of ENDING_SIGNALS) process.removeListener(signal, passOn);
      if (received === undefined) resolve(code ?? 1);
      else process.kill(process.pid, received);
    });
  });
}

async function endGroup(leader: number | undefined): Promise<void> {
  const deadlineMs = performance.now() + LEFT_BEHIND_MS;
  let isLeft = signalGroup(leader, 'SIGTERM');
  while (isLeft && performance.now() < deadlineMs) {
    await delay(LEFT_BEHIND_POLL_MS);
    isLeft = signalGroup(leader, 0);
  }
  if (isLeft) signalGroup(leader, 'SIGKILL');
}

/** `false`: nobody is left in the group. */
function signalGroup(leader: number | undefined, signal: NodeJS.Signals | 0): boolean {
  if (leader === undefined) return false;
  try {
    return process.kill(-leader, signal);
  } catch {
    return false;
  }
}

/** `12345` → `12.3 s`. */
export function inSeconds(durationMs: number): string {
  return `${(durationMs / 1000).toFixed(1)} s`;
}
