import { type BenchContext, checks } from '../context.ts';
import type { FlowSpec, Pace } from '../load/flow.ts';
import type { PartResult } from '../report/part-result.ts';
import { inMs, percent, table, whole } from '../report/table.ts';
import type { LatchkeySubject } from '../subjects/latchkey.ts';
import type { Subject } from '../subjects/subject.ts';
import { conditionsOf, measureInTurn, medianOf, type Turn } from './turns.ts';

const PER_SECOND = 1_000;
const BURST_MAX = 8;
const PACE: Pace = { kind: 'open', perSecond: PER_SECOND, burstMax: BURST_MAX };
/** So many that the budget of one address never comes to bear: each unknown key is looked up, or waits for it. */
const FLOOD_ADDRESSES = 100_000;
const ROUNDS_MAX = 3;
/** An open pace draws a little more than its rate times the time. */
const MARGIN = 1.2;

/** Known keys beside a flood of well-formed unknown ones, each of which is a lookup in Postgres. */
export async function measureFlood(context: BenchContext): Promise<PartResult[]> {
  const { options } = context;
  const latchkey = await context.sharedLatchkey(options.sizes[1]);
  const alone: Subject = { ...latchkey, name: 'alone' };
  const amongKnown: Subject = { ...latchkey, name: 'and as many known ones more' };
  const flooded: Subject = { ...latchkey, name: 'and a flood of unknown ones' };
  const known = (seed: number): FlowSpec => knownKeys(latchkey, seed);
  const rounds = Math.min(ROUNDS_MAX, options.rounds);
  const absentBefore = await latchkey.sidecar.metric(ABSENT);
  const found = await measureInTurn(context, {
    subjects: [alone, amongKnown, flooded],
    flows: ({ name }, round) => {
      if (name === alone.name) return [known(round)];
      if (name === amongKnown.name) return [known(round), known(100 + round)];
      return [known(round), unknownKeys(context, 100 + round)];
    },
    rounds,
  });
  const absent = (await latchkey.sidecar.metric(ABSENT)) - absentBefore;
  const floodSeconds = (rounds * (options.warmupMs + options.measureMs)) / 1000;
  const p99 = found.map(({ turns }) => medianOf(turns, ({ flow }) => flow.latency.p99Us));
  const rows = found.map(({ subject, turns }, index) => [
    subject.name,
    inMs(medianOf(turns, ({ flow }) => flow.latency.p50Us)),
    inMs(p99[index] ?? Number.NaN),
    inMs(medianOf(turns, ({ flow }) => flow.latency.p999Us)),
    percent(medianOf(turns, busyShare)),
  ]);
  return [
    {
      section: 'flood',
      title: `Known keys at ${whole(PER_SECOND)} requests a second, and what comes beside them at the same rate`,
      body: `${table(HEAD, rows)}\n\nIn the flood, ${whole(absent / floodSeconds)} unknown keys a second were looked up in Postgres. ${conditionsOf(found)}`,
      targets: [
        {
          name: 'p99 of known keys in the flood against alone',
          found: (p99[2] ?? Number.NaN) / (p99[0] ?? Number.NaN),
          bound: { atMost: 2 },
        },
      ],
    },
  ];
}

const HEAD = ['known keys …', 'p50 ms', 'p99 ms', 'p99.9 ms', 'processor busy'];
const ABSENT = 'latchkey_lookups_total{outcome="absent"}';

function busyShare({ cpuUs, answers, elapsedMs }: Turn): number {
  return ((cpuUs[0] ?? Number.NaN) * answers) / 1000 / elapsedMs;
}

function knownKeys({ keys }: LatchkeySubject, seed: number): FlowSpec {
  return checks({ name: 'known keys', keys: { from: 0, count: keys }, pace: PACE, seed });
}

function unknownKeys({ options, store }: BenchContext, seed: number): FlowSpec {
  const seconds = (options.warmupMs + options.measureMs) / 1000;
  const keys = store.takeUnknown(Math.ceil(MARGIN * seconds * PER_SECOND));
  return checks({
    ...{ name: 'unknown keys', keys, pace: PACE, seed },
    ...{ order: 'each-once', addresses: FLOOD_ADDRESSES },
  });
}
