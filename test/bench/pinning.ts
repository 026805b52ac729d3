import { execFileSync } from 'node:child_process';

/** Which processors run what. On a machine where processes cannot be pinned, the system decides, and the report says so. */
export interface Pinning {
  readonly isPinned: boolean;
  /** For the report. */
  readonly text: string;
  /** What goes before the command line of a server that is measured. */
  readonly subject: readonly string[];
  /** Of the load generator. */
  readonly generator: readonly string[];
}

/**
 * One processor for whatever is measured, another for the load generator. This process itself, and so the Postgres that it
 * starts, leaves the measured one alone.
 */
export function pinProcesses(): Pinning {
  const cpus = usableCpus();
  const subject = cpus.at(-1);
  const [generator] = cpus;
  if (subject === undefined || generator === undefined || cpus.length < 2) return unpinned(cpus);
  const others = cpus.slice(0, -1).join(',');
  execFileSync('taskset', ['-a', '-c', '-p', others, String(process.pid)]);
  return {
    isPinned: true,
    text: `subject on processor ${subject}, load generator on ${generator}, Postgres on ${others}`,
    subject: ['taskset', '-c', String(subject)],
    generator: ['taskset', '-c', String(generator)],
  };
}

function unpinned(cpus: readonly number[]): Pinning {
  const why = cpus.length === 1 ? 'there is only one processor' : 'taskset was not found';
  return {
    isPinned: false,
    text: `no process pinned to a processor (${why}): the figures scatter more`,
    subject: [],
    generator: [],
  };
}

/** Empty where `taskset` (util-linux) is missing. */
function usableCpus(): number[] {
  try {
    const told = execFileSync('taskset', ['-c', '-p', String(process.pid)], { encoding: 'utf8' });
    return cpuList(told.slice(told.lastIndexOf(':') + 1).trim());
  } catch {
    return [];
  }
}

/** `0,2-4` → 0, 2, 3, 4. */
export function cpuList(text: string): number[] {
  return text.split(',').flatMap((part) => {
    const [first = Number.NaN, last = first] = part.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}
