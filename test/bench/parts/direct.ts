import { type BenchContext, CONCURRENCY, CONNECTIONS, checks } from '../context.ts';
import type { PartResult } from '../report/part-result.ts';
import { decimal, inMs, percent, short, table, whole } from '../report/table.ts';
import type { LatchkeySubject } from '../subjects/latchkey.ts';
import type { Subject } from '../subjects/subject.ts';
import { startReferences } from './references.ts';
import {
  conditionsOf,
  cpuUs,
  measureInTurn,
  medianOf,
  perSecond,
  spreadOf,
  type Turns,
} from './turns.ts';

/** How many checks a second one processor answers, and what latchkey holds in memory for its keys. */
export async function measureDirect(context: BenchContext): Promise<PartResult[]> {
  const { sizes } = context.options;
  const latchkeys: LatchkeySubject[] = [];
  for (const keys of sizes) latchkeys.push(await context.sharedLatchkey(keys));
  const memory = await memoryResult(latchkeys);
  const [first] = latchkeys;
  if (first === undefined) throw new Error('there is no latchkey to measure');
  const references = await startReferences(context, first);
  try {
    const { protoLoader, rawBytes } = references;
    const keysOf = new Map<Subject, number>(latchkeys.map((subject) => [subject, subject.keys]));
    const found = await measureInTurn(context, {
      subjects: [protoLoader, rawBytes, ...latchkeys],
      flows: (subject, round) => [
        checks({
          name: subject.name,
          keys: { from: 0, count: keysOf.get(subject) ?? sizes[0] },
          pace: { kind: 'closed', concurrency: CONCURRENCY },
          seed: round,
        }),
      ],
    });
    return [directResult(context, found), memory];
  } finally {
    await references.stop();
  }
}

function directResult({ options }: BenchContext, found: readonly Turns[]): PartResult {
  const rates = found.map(({ turns }) => medianOf(turns, perSecond));
  const [trivial = Number.NaN, floor = Number.NaN, small = Number.NaN] = rates;
  const large = rates.at(-1) ?? Number.NaN;
  const rows = found.map(({ subject, turns }, index) => [
    subject.name,
    whole(rates[index] ?? Number.NaN),
    percent(spreadOf(turns, perSecond)),
    short((rates[index] ?? Number.NaN) / trivial),
    decimal(medianOf(turns, cpuUs)),
    inMs(medianOf(turns, ({ flow }) => flow.latency.p50Us)),
    inMs(medianOf(turns, ({ flow }) => flow.latency.p99Us)),
    percent(medianOf(turns, ({ gc, elapsedMs }) => gc.totalMs / elapsedMs)),
  ]);
  const head = ['', 'checks/s', 'spread', 'ratio', 'CPU µs/check', 'p50 ms', 'p99 ms', 'in GC'];
  const largest = options.sizes[2].toLocaleString('en-US');
  return {
    section: 'direct',
    title: `Straight to the server: ${CONCURRENCY} calls at a time over ${CONNECTIONS} connections`,
    body: `${table(head, rows)}\n\n${conditionsOf(found)}`,
    targets: [
      {
        name: 'latchkey against grpc-js + proto-loader',
        found: small / trivial,
        bound: { atLeast: 1.3 },
      },
      {
        name: 'latchkey against grpc-js with a constant answer',
        found: small / floor,
        bound: { atLeast: 0.85 },
      },
      {
        name: `${largest} keys against ${options.sizes[0].toLocaleString('en-US')}`,
        found: large / small,
        bound: { atLeast: 0.8 },
      },
    ],
  };
}

/** After the warm-up and before any load: what the keys take. */
async function memoryResult(latchkeys: readonly LatchkeySubject[]): Promise<PartResult> {
  const rows: string[][] = [];
  for (const { sidecar, keys } of latchkeys) {
    const resident = await sidecar.metric('process_resident_memory_bytes');
    const heap = await sidecar.metric('nodejs_heap_size_used_bytes');
    rows.push([whole(keys), megabytes(resident), megabytes(heap)]);
  }
  return {
    section: 'memory',
    title: 'Memory with so many keys known',
    body: table(['keys', 'resident MB', 'heap used MB'], rows),
    targets: [],
  };
}

const megabytes = (bytes: number): string => whole(bytes / 1e6);
