import { randomBytes } from 'node:crypto';
import type { Clock, Schedule } from '../model/clock.ts';

/** The process's own sources of time and chance; everything below takes them as arguments. */
export const systemClock: Clock = () => ({ wallMs: Date.now(), monoMs: performance.now() });

/** A timer keeps the process alive: whoever starts one cancels it when it stops. */
export const systemSchedule: Schedule = (run, delayMs) => {
  const handle = setTimeout(run, delayMs);
  return () => clearTimeout(handle);
};

export const sleep = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, ms);
  });

/** From the operating system, never from a cache of Node's: keys are made of it. */
export const systemRandomBytes = (size: number): Uint8Array => randomBytes(size);
