import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BenchContext } from './context.ts';
import { LoadGenerator } from './load/generator.ts';
import type { BenchOptions, PartName } from './options.ts';
import { measureColdMiss } from './parts/cold-miss.ts';
import { measureDirect } from './parts/direct.ts';
import { measureFlood } from './parts/flood.ts';
import { measureLatency } from './parts/latency.ts';
import { measureRevocation } from './parts/revocation.ts';
import { measureThroughEnvoy } from './parts/through-envoy.ts';
import { pinProcesses } from './pinning.ts';
import { replaceSections } from './report/document.ts';
import { describeMachine, describeRun } from './report/machine.ts';
import { type PartResult, targetLine } from './report/part-result.ts';
import { BenchStore } from './store/bench-store.ts';

const MEASURE: Record<PartName, (context: BenchContext) => Promise<PartResult[]>> = {
  direct: measureDirect,
  latency: measureLatency,
  envoy: measureThroughEnvoy,
  cold: measureColdMiss,
  revocation: measureRevocation,
  flood: measureFlood,
};

export interface BenchRun {
  readonly options: BenchOptions;
  /** The repository. */
  readonly root: string;
  /** A line for people. */
  readonly say: (line: string) => void;
}

/**
 * Measures one part after the other, prints what it found, and writes it to docs/benchmarks.md where it may. Ends early, and in
 * order, on SIGINT or SIGTERM. @throws Error when a measurement did not come about; nothing is written then.
 */
export async function runBench(run: BenchRun): Promise<void> {
  // Each process that is started says good-bye to this one.
  process.setMaxListeners(50);
  const stops: Stops = [];
  try {
    await Promise.race([measureAll(run, stops), interruption()]);
  } catch (error) {
    // What stops badly after a failure is no news.
    for (const stop of stops.reverse()) await stop().catch(() => {});
    throw error;
  }
  for (const stop of stops.reverse()) await stop();
}

type Stops = (() => Promise<void>)[];

function interruption(): Promise<never> {
  return new Promise((_resolve, reject) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.once(signal, () => reject(new Error(`ended by ${signal}`)));
    }
  });
}

async function measureAll({ options, root, say }: BenchRun, stops: Stops): Promise<void> {
  const startedMs = performance.now();
  const pinning = pinProcesses();
  const store = await BenchStore.start(options.sizes[2]);
  stops.push(() => store.close());
  const generator = await LoadGenerator.start(pinning.generator);
  stops.push(() => generator.stop());
  await generator.useKeys(store.keyFile);
  const context = new BenchContext({ options, pinning, store, generator, say });
  stops.push(() => context.stop());
  const machine = await describeMachine({
    postgresVersion: await store.version(),
    pinning: pinning.text,
  });
  for (const line of machine) say(line);
  const results: PartResult[] = [];
  for (const part of options.parts) {
    say(`\n── ${part}`);
    const found = await MEASURE[part](context);
    for (const result of found) say(`\n${textOf(result)}`);
    results.push(...found);
    say(`\n(${minutesSince(startedMs)} minutes so far)`);
  }
  if (options.writes) await writeDocument({ root, machine, results });
}

function minutesSince(startedMs: number): string {
  return ((performance.now() - startedMs) / 60_000).toFixed(1);
}

function textOf({ title, body, targets }: PartResult): string {
  const lines = targets.map(targetLine);
  return [`${title}:`, body, ...(lines.length > 0 ? [lines.join('\n')] : [])].join('\n\n');
}

interface Written {
  readonly root: string;
  readonly machine: readonly string[];
  readonly results: readonly PartResult[];
}

/** Each section says when it was measured: a run of some parts leaves the others as they were. */
async function writeDocument({ root, machine, results }: Written): Promise<void> {
  const path = join(root, 'docs', 'benchmarks.md');
  const measured = await describeRun(root);
  const sections = new Map(
    results.map((result) => [result.section, `${textOf(result)}\n\nMeasured ${measured}.`]),
  );
  sections.set('machine', machine.join('\n'));
  await writeFile(path, replaceSections(await readFile(path, 'utf8'), sections));
}
