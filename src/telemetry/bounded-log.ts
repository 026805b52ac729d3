import type { Clock } from '../model/clock.ts';
import type { Log } from './ports.ts';

/** The first lines of a flood say what it is. */
const LINES_AT_ONCE_MAX = 10;

/** Then what goes on for days, such as a missing right that every poll meets, is still told now and then. */
const LINE_AFTER_MS = 10_000;

/**
 * A log for what can come at any rate, since a stranger or a bug brings it about with every request. What is left out is
 * counted in the next line: `suppressed`.
 */
export function boundedLog(log: Log, clock: Clock): Log {
  let lines = LINES_AT_ONCE_MAX;
  let refilledMonoMs = clock().monoMs;
  let suppressed = 0;
  return (level, message, fields) => {
    const { monoMs } = clock();
    const refill = Math.floor((monoMs - refilledMonoMs) / LINE_AFTER_MS);
    lines = Math.min(LINES_AT_ONCE_MAX, lines + refill);
    refilledMonoMs += refill * LINE_AFTER_MS;
    if (lines === 0) {
      suppressed += 1;
      return;
    }
    lines -= 1;
    log(level, message, suppressed === 0 ? fields : { ...fields, suppressed });
    suppressed = 0;
  };
}
