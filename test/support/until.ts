import { setTimeout as delay } from 'node:timers/promises';

const CHECK_INTERVAL_MS = 10;

/** Waits for a condition, and says which one when it never comes true. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  deadlineMs = 10_000,
): Promise<void> {
  const deadline = performance.now() + deadlineMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`Waited ${deadlineMs} ms in vain: ${what}.`);
    await delay(CHECK_INTERVAL_MS);
  }
}
