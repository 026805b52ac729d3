import type { Timers } from './ports.ts';

/** The process's own timers. They keep the process alive: whoever starts one cancels it when it stops. */
export const systemTimers: Timers = {
  start(delayMs, run) {
    const handle = setTimeout(run, delayMs);
    return { cancel: () => clearTimeout(handle) };
  },
};
