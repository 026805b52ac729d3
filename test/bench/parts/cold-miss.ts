import { type BenchContext, checks } from '../context.ts';
import type { FlowSpec } from '../load/flow.ts';
import type { PartResult } from '../report/part-result.ts';
import { inMs, table, whole } from '../report/table.ts';
import type { LatchkeySubject } from '../subjects/latchkey.ts';
import type { Subject } from '../subjects/subject.ts';
import { measureInTurn, medianOf } from './turns.ts';

/** Few enough that no request waits for another one. */
const PER_SECOND = 100;
const ROUNDS = 2;
/** An open pace draws a little more than its rate times the time. */
const MARGIN = 1.5;

/** How long the first request of a key takes, beside one whose key is known. */
export async function measureColdMiss(context: BenchContext): Promise<PartResult[]> {
  const { options } = context;
  const rows: string[][] = [];
  for (const keys of options.sizes.slice(1)) {
    const latchkey = await context.sharedLatchkey(keys);
    const known: Subject = { ...latchkey, name: `${whole(keys)} keys: known` };
    const unknown: Subject = { ...latchkey, name: `${whole(keys)} keys: first request of a key` };
    const found = await measureInTurn(context, {
      subjects: [known, unknown],
      flows: ({ name }, round) => [
        name === unknown.name ? firstRequests(context, round) : knownRequests(latchkey, round),
      ],
      rounds: ROUNDS,
    });
    for (const { subject, turns } of found) {
      rows.push([
        subject.name,
        inMs(medianOf(turns, ({ flow }) => flow.latency.p50Us)),
        inMs(medianOf(turns, ({ flow }) => flow.latency.p90Us)),
        inMs(medianOf(turns, ({ flow }) => flow.latency.p99Us)),
      ]);
    }
  }
  return [
    {
      section: 'cold',
      title: `A key that memory does not hold, at ${PER_SECOND} requests a second`,
      body: table(['', 'p50 ms', 'p90 ms', 'p99 ms'], rows),
      targets: [],
    },
  ];
}

const PACE = { kind: 'open', perSecond: PER_SECOND, burstMax: 1 } as const;

function knownRequests({ name, keys }: LatchkeySubject, round: number): FlowSpec {
  return checks({ name, keys: { from: 0, count: keys }, pace: PACE, seed: round });
}

function firstRequests({ options, store }: BenchContext, round: number): FlowSpec {
  const seconds = (options.warmupMs + options.measureMs) / 1000;
  const keys = store.takeCold(Math.ceil(MARGIN * seconds * PER_SECOND));
  return checks({ name: 'cold keys', keys, pace: PACE, order: 'each-once', seed: round });
}
