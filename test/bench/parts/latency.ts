import { type BenchContext, CONNECTIONS, checks } from '../context.ts';
import type { PartResult } from '../report/part-result.ts';
import { decimal, inMs, percent, short, table } from '../report/table.ts';
import type { LatchkeySubject } from '../subjects/latchkey.ts';
import type { Subject } from '../subjects/subject.ts';
import { startReferences } from './references.ts';
import { conditionsOf, cpuUs, measureInTurn, medianOf, type Turns } from './turns.ts';

/** What a busy sidecar sees: far below what it could. */
const PER_SECOND = 2_000;
const BURST_MAX = 8;
/** Each variant has a process of its own to warm: fewer keys than the largest size, and enough to be many. */
const VARIANT_KEYS_MAX = 10_000;
/** Nine thousand requests a turn: the 99.9th percentile is no single request. */
const MEASURE_FACTOR = 1.5;
const ROUNDS_MAX = 3;

/** How long a check takes at a fixed rate, and what V8's flags change about it. */
export async function measureLatency(context: BenchContext): Promise<PartResult[]> {
  const { options } = context;
  const large = await context.sharedLatchkey(options.sizes[2]);
  const keys = Math.min(VARIANT_KEYS_MAX, options.sizes[1]);
  const variants: LatchkeySubject[] = [];
  try {
    for (const nodeFlags of options.variants) {
      const name = `latchkey, ${keys.toLocaleString('en-US')} keys${flagText(nodeFlags)}`;
      variants.push(await context.warmLatchkey(keys, { name, nodeFlags }));
    }
    const [first] = variants;
    const references = await startReferences(context, first ?? large);
    try {
      const { protoLoader, rawBytes } = references;
      const found = await measureInTurn(context, {
        subjects: [protoLoader, rawBytes, ...variants, large],
        flows: (subject, round) => [
          checks({
            name: subject.name,
            keys: { from: 0, count: subject === large ? options.sizes[2] : keys },
            pace: { kind: 'open', perSecond: PER_SECOND, burstMax: BURST_MAX },
            seed: round,
          }),
        ],
        rounds: Math.min(ROUNDS_MAX, options.rounds),
        measureMs: MEASURE_FACTOR * options.measureMs,
      });
      return [latencyResult(found)];
    } finally {
      await references.stop();
    }
  } finally {
    for (const variant of variants) await variant.stop();
  }
}

function latencyResult(found: readonly Turns[]): PartResult {
  const head = [
    ...['', 'CPU µs/check', 'p50 ms', 'p99 ms', 'p99.9 ms', 'max ms'],
    ...['scavenges/s', 'longest ms', 'in GC'],
  ];
  const rows = found.map(({ subject, turns }: { subject: Subject } & Turns) => [
    subject.name,
    decimal(medianOf(turns, cpuUs)),
    inMs(medianOf(turns, ({ flow }) => flow.latency.p50Us)),
    inMs(medianOf(turns, ({ flow }) => flow.latency.p99Us)),
    inMs(medianOf(turns, ({ flow }) => flow.latency.p999Us)),
    inMs(medianOf(turns, ({ flow }) => flow.latency.maxUs)),
    short(medianOf(turns, ({ gc, elapsedMs }) => (1000 * gc.scavenges) / elapsedMs)),
    short(medianOf(turns, ({ gc }) => gc.longestMs)),
    percent(medianOf(turns, ({ gc, elapsedMs }) => gc.totalMs / elapsedMs)),
  ]);
  const lags = found.flatMap(({ turns }) => turns.map(({ flow }) => flow.sendLag.p99Us));
  return {
    section: 'latency',
    title: `At ${PER_SECOND.toLocaleString('en-US')} checks a second, in bursts of 1 to ${BURST_MAX} over ${CONNECTIONS} connections`,
    body: `${table(head, rows)}\n\nThe load generator itself was late by ${inMs(Math.max(...lags))} ms at the 99th percentile of its worst turn; that is part of the figures. ${conditionsOf(found)}`,
    targets: [],
  };
}

function flagText(flags: readonly string[]): string {
  return flags.length === 0 ? '' : `, \`${flags.join(' ')}\``;
}
