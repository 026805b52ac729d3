import { ADDRESSES, type BenchContext, CONNECTIONS } from '../context.ts';
import type { FlowSpec, Pace } from '../load/flow.ts';
import type { PartResult } from '../report/part-result.ts';
import { decimal, inMs, table, whole } from '../report/table.ts';
import { startEnvoySubject } from '../subjects/envoy.ts';
import type { Subject } from '../subjects/subject.ts';
import { startReferences } from './references.ts';
import { conditionsOf, cpuUs, measureInTurn, medianOf, perSecond, type Turns } from './turns.ts';

const CONCURRENCY = 32;
/** One processor for Envoy and latchkey together has room for this and some. */
const PER_SECOND = 1_000;
const BURST_MAX = 8;
const ROUNDS_MAX = 3;

/** What the check adds to a request through a real Envoy, with both on one processor as in one small pod. */
export async function measureThroughEnvoy(context: BenchContext): Promise<PartResult[]> {
  const { options, pinning } = context;
  const keys = options.sizes[1];
  const latchkey = await context.sharedLatchkey(keys);
  const prefix = pinning.subject;
  const references = await startReferences(context, latchkey);
  const envoys: Subject[] = [];
  const start = async (name: string, asks?: Subject): Promise<void> => {
    envoys.push(await startEnvoySubject({ name, prefix, ...(asks && { asks }) }));
  };
  try {
    await start('Envoy without the filter');
    await start('Envoy asks grpc-js + proto-loader', references.protoLoader);
    await start('Envoy asks latchkey', latchkey);
    const before = await latchkey.sidecar.metric(ALLOWED);
    const rounds = Math.min(ROUNDS_MAX, options.rounds);
    const inTurn = (pace: Pace): Promise<Turns[]> =>
      measureInTurn(context, {
        subjects: envoys,
        flows: ({ name }, round) => [requests({ name, pace, keys, seed: round })],
        rounds,
      });
    const saturated = await inTurn({ kind: 'closed', concurrency: CONCURRENCY });
    const steady = await inTurn({ kind: 'open', perSecond: PER_SECOND, burstMax: BURST_MAX });
    const asked = (await latchkey.sidecar.metric(ALLOWED)) - before;
    if (asked === 0) throw new Error('Envoy answered without asking latchkey');
    return [envoyResult(saturated, steady)];
  } finally {
    for (const envoy of envoys) await envoy.stop();
    await references.stop();
  }
}

const ALLOWED = 'latchkey_decisions_total{reason="allowed",rule="scans-read"}';

function requests(wish: { name: string; pace: Pace; keys: number; seed: number }): FlowSpec {
  const { name, pace, keys, seed } = wish;
  return {
    ...{ name, pace, seed, connections: CONNECTIONS },
    traffic: {
      ...{ kind: 'http', keys: { from: 0, count: keys }, order: 'random', addresses: ADDRESSES },
    },
  };
}

function envoyResult(saturated: readonly Turns[], steady: readonly Turns[]): PartResult {
  const head = [
    ...['', 'requests/s', 'CPU µs: Envoy', 'asked'],
    ...[`at ${whole(PER_SECOND)}/s: p50 ms`, 'p99 ms', 'p99.9 ms', 'CPU µs: Envoy', 'asked'],
  ];
  const rows = saturated.map(({ subject, turns }, index) => {
    const slow = steady[index]?.turns ?? [];
    const own = (from: Turns['turns']): string =>
      subject.pids.length > 1 ? decimal(medianOf(from, (t) => t.cpuUs[1] ?? Number.NaN)) : '–';
    return [
      subject.name,
      ...[whole(medianOf(turns, perSecond)), decimal(medianOf(turns, cpuUs)), own(turns)],
      inMs(medianOf(slow, ({ flow }) => flow.latency.p50Us)),
      inMs(medianOf(slow, ({ flow }) => flow.latency.p99Us)),
      inMs(medianOf(slow, ({ flow }) => flow.latency.p999Us)),
      ...[decimal(medianOf(slow, cpuUs)), own(slow)],
    ];
  });
  return {
    section: 'envoy',
    title: `Through Envoy: ${CONCURRENCY} requests at a time over ${CONNECTIONS} connections, then at a fixed rate`,
    body: `${table(head, rows)}\n\n${conditionsOf([...saturated, ...steady])}`,
    targets: [],
  };
}
