import { readFileSync } from 'node:fs';

/** Of a clock tick in /proc: Linux tells user space 100 a second, whatever the kernel uses. */
const TICK_MS = 10;

/** CPU time that a process has used, all threads, user and kernel; `undefined` where there is no /proc. */
export function cpuTimeMs(pid: number): number | undefined {
  try {
    // The name, in parentheses, may hold anything; fields 14 and 15 are counted from behind it.
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return TICK_MS * (Number(fields[11]) + Number(fields[12]));
  } catch {
    return undefined;
  }
}

/** Fields of the first line of /proc/stat that are no work: idle, and waiting for a disk. */
const IDLE_FIELDS = [3, 4];
/** Time of guests is in the user time already. */
const GUEST_FIELDS = [8, 9];

/** Processor time that the whole machine has used, what its host took from it included; `undefined` where there is no /proc. */
export function machineTimeMs(): number | undefined {
  try {
    const line = readFileSync('/proc/stat', 'latin1').split('\n')[0] ?? '';
    const fields = line.split(/\s+/).slice(1).map(Number);
    const isWork = (index: number): boolean =>
      !IDLE_FIELDS.includes(index) && !GUEST_FIELDS.includes(index);
    return TICK_MS * fields.reduce((sum, ticks, index) => sum + (isWork(index) ? ticks : 0), 0);
  } catch {
    return undefined;
  }
}
