import type { BenchContext } from '../context.ts';
import type { FlowResult, FlowSpec } from '../load/flow.ts';
import { median, spread } from '../report/statistics.ts';
import { percent } from '../report/table.ts';
import { type GcSummary, summarizeGc } from '../subjects/gc-trace.ts';
import type { Subject } from '../subjects/subject.ts';

/** One measurement of one subject. */
export interface Turn {
  readonly flow: FlowResult;
  /** Of all flows. */
  readonly answers: number;
  readonly elapsedMs: number;
  /** CPU time per answer, by process of the subject; NaN where the system does not tell. */
  readonly cpuUs: readonly number[];
  readonly gc: GcSummary;
  readonly generatorBusy: number;
  readonly othersBusy: number;
}

export interface Turns {
  readonly subject: Subject;
  readonly turns: readonly Turn[];
}

export interface InTurn {
  readonly subjects: readonly Subject[];
  /** The first flow is the one that is reported. */
  readonly flows: (subject: Subject, round: number) => readonly FlowSpec[];
  readonly rounds?: number;
  readonly measureMs?: number;
}

/** Every subject has its turn in every round, so that all of them see the same machine. */
export async function measureInTurn(context: BenchContext, wish: InTurn): Promise<Turns[]> {
  const { options } = context;
  const { rounds = options.rounds, measureMs = options.measureMs } = wish;
  const found = wish.subjects.map((subject) => ({ subject, turns: [] as Turn[] }));
  for (let round = 1; round <= rounds; round += 1) {
    context.say(`  round ${round} of ${rounds}`);
    for (const { subject, turns } of found) {
      turns.push(await measure(context, { subject, flows: wish.flows(subject, round), measureMs }));
    }
  }
  return found;
}

interface Measurement {
  readonly subject: Subject;
  readonly flows: readonly FlowSpec[];
  readonly measureMs: number;
}

async function measure(
  { generator, options }: BenchContext,
  { subject, flows, measureMs }: Measurement,
): Promise<Turn> {
  let linesBefore = 0;
  const run = await generator.run(
    {
      ...{ target: subject.target, flows, pids: subject.pids },
      ...{ warmupMs: options.warmupMs, measured: { ms: measureMs } },
    },
    () => {
      linesBefore = subject.stdout().length;
    },
  );
  const [flow] = run.flows;
  if (flow === undefined) throw new Error('a measurement without a flow');
  if (flow.refused > 0) throw new Error(`${subject.name} refused ${flow.refused} requests`);
  const answers = run.flows.reduce((sum, { latency }) => sum + latency.count, 0);
  return {
    ...{ flow, answers, elapsedMs: run.elapsedMs },
    cpuUs: run.cpuMs.map((ms = Number.NaN) => (1000 * ms) / answers),
    generatorBusy: run.generatorBusy,
    othersBusy: run.othersBusy ?? Number.NaN,
    gc: summarizeGc(subject.stdout().slice(linesBefore)),
  };
}

/** The median over the rounds of one figure. */
export function medianOf(turns: readonly Turn[], figure: (turn: Turn) => number): number {
  return median(turns.map(figure));
}

export function spreadOf(turns: readonly Turn[], figure: (turn: Turn) => number): number {
  return spread(turns.map(figure));
}

/** How far the machine was theirs: a line for whoever is to trust the figures. */
export function conditionsOf(found: readonly Turns[]): string {
  const turns = found.flatMap((each) => each.turns);
  const busiest = Math.max(...turns.map(({ generatorBusy }) => generatorBusy));
  const others = medianOf(turns, ({ othersBusy }) => othersBusy);
  const worst = Math.max(...turns.map(({ othersBusy }) => othersBusy));
  return `The load generator used ${percent(busiest)} of a processor at most; everything else on the machine, Postgres included, ${percent(others)} (median) and ${percent(worst)} (worst turn).`;
}

export const perSecond = (turn: Turn): number => turn.flow.perSecond;
/** Of the subject's first process. */
export const cpuUs = (turn: Turn): number => turn.cpuUs[0] ?? Number.NaN;
