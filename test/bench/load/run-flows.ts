import { setTimeout as delay } from 'node:timers/promises';
import { cpuTimeMs, machineTimeMs } from './cpu-time.ts';
import { Flow } from './flow.ts';
import type { KeyTable } from './key-table.ts';
import type { RunCommand, RunResult } from './protocol.ts';

/** Answers that are longer in coming never come: every server here has given up by then. */
const LAST_ANSWERS_MS = 5_000;
const LOOK_MS = 5;

/** Checks of different runs never share a stream id: a Check that comes twice is charged once, which is another path. */
const IDS_PER_FLOW = 1_000_000_000;
let lastStartId = 0;

export async function runFlows(
  command: RunCommand,
  table: KeyTable,
  onMeasuring: () => void,
): Promise<RunResult> {
  const flows = command.flows.map((spec) => {
    lastStartId += IDS_PER_FLOW;
    return new Flow(spec, table, lastStartId);
  });
  for (const flow of flows) await flow.connect(command.target);
  for (const flow of flows) flow.start();
  if (command.warmupMs > 0) await delay(command.warmupMs);
  onMeasuring();
  const cpuBefore = command.pids.map(cpuTimeMs);
  const machineBefore = machineTimeMs();
  const ownBefore = process.cpuUsage();
  const startedMs = performance.now();
  for (const flow of flows) flow.measure();
  if (command.measured === 'keys-used') await whenUsedUp(flows);
  else await delay(command.measured.ms);
  for (const flow of flows) flow.finish();
  const elapsedMs = performance.now() - startedMs;
  const cpuAfter = command.pids.map(cpuTimeMs);
  const own = process.cpuUsage(ownBefore);
  const ownMs = (own.user + own.system) / 1000;
  const cpuMs = cpuAfter.map((after, index) => difference(after, cpuBefore[index]));
  const machineMs = difference(machineTimeMs(), machineBefore);
  const deadlineMs = performance.now() + LAST_ANSWERS_MS;
  while (flows.some((flow) => flow.outstanding > 0) && performance.now() < deadlineMs) {
    await delay(LOOK_MS);
  }
  return {
    elapsedMs,
    flows: flows.map((flow) => flow.close()),
    cpuMs,
    generatorBusy: ownMs / elapsedMs,
    othersBusy: machineMs && othersMs(machineMs, [ownMs, ...cpuMs]) / elapsedMs,
  };
}

async function whenUsedUp(flows: readonly Flow[]): Promise<void> {
  const isOver = (flow: Flow): boolean => flow.isUsedUp && flow.outstanding === 0;
  while (!flows.every(isOver)) {
    const failure = flows.find((flow) => flow.failure !== undefined)?.failure;
    if (failure !== undefined) throw failure;
    await delay(LOOK_MS);
  }
}

function othersMs(machineMs: number, known: readonly (number | undefined)[]): number {
  return Math.max(
    0,
    known.reduce((rest: number, ms = 0) => rest - ms, machineMs),
  );
}

function difference(after: number | undefined, before: number | undefined): number | undefined {
  return after === undefined || before === undefined ? undefined : after - before;
}
