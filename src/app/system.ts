import { randomBytes } from 'node:crypto';
import type { Clock } from '../model/clock.ts';

/** The process's own sources of time and chance; everything below takes them as arguments. */
export const systemClock: Clock = () => ({ wallMs: Date.now(), monoMs: performance.now() });

/** Runs `run` once, later, unless cancelled. */
export const systemSchedule = (run: () => void, delayMs: number): (() => void) => {
  const handle = setTimeout(run, delayMs);
  return () => clearTimeout(handle);
};

export const sleep = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, ms);
  });

/** From the operating system, never from a cache of Node's: keys are made of it. */
export const systemRandomBytes = (size: number): Uint8Array => randomBytes(size);
