import { describe, expect, it } from 'vitest';
import { cpuTimeMs, machineTimeMs } from '../../bench/load/cpu-time.ts';

describe('processor time', () => {
  it('of a process is what the process says itself, where the system tells', () => {
    const told = cpuTimeMs(process.pid);
    const { user, system } = process.cpuUsage();
    // Elsewhere than on Linux there is nothing to compare.
    if (process.platform !== 'linux') expect(told).toBeUndefined();
    // Ticks are 10 ms each, and a little time passes in between.
    else expect(Math.abs((told ?? 0) - (user + system) / 1000)).toBeLessThan(100);
  });

  it('of the machine is at least that of a process', () => {
    if (process.platform !== 'linux') expect(machineTimeMs()).toBeUndefined();
    else expect(machineTimeMs()).toBeGreaterThan(cpuTimeMs(process.pid) ?? 0);
  });

  it('of a process that does not exist is unknown', () => {
    expect(cpuTimeMs(2 ** 30)).toBeUndefined();
  });
});
