import type { Clock, Schedule } from './model/clock.ts';

/**
 * What a process needs to serve, part by part. A part starts `not_ready`; `degraded` is for a loss that comes later,
 * such as Postgres away: the process goes on from memory and must keep its traffic, or one outage would take every pod away.
 */
export interface Part {
  ready(): void;
  /** Still serving, but an operator should look. The reason goes to logs and to /readyz: no secret, nothing of a client's. */
  degraded(reason: string): void;
  /** Not able to serve: takes the process out of traffic. */
  notReady(reason: string): void;
}

export type PartState = 'ready' | 'degraded' | 'not_ready';

export interface PartReport {
  readonly name: string;
  readonly state: PartState;
  readonly reason?: string;
  /** When it came into this state, for this reason: milliseconds since the Unix epoch. */
  readonly sinceMs: number;
}

/** As bad as its worst part. */
export interface Readiness {
  readonly state: PartState;
  readonly parts: readonly PartReport[];
}

export interface StopPhase {
  readonly name: string;
  /** After it the phase is left behind, and the next one begins. */
  readonly deadlineMs: number;
  /** Closes or finishes something. */
  run(): Promise<unknown>;
}

export interface PhaseReport {
  readonly phase: string;
  readonly outcome: 'done' | 'failed' | 'cut';
  readonly durationMs: number;
}

export interface StopReport {
  readonly phases: readonly PhaseReport[];
  /** 0 when every phase was done; 1 when one failed or had to be cut. */
  readonly exitCode: 0 | 1;
}

export type LifecycleEvent =
  /** `from` is missing when the part is declared; `lastedMs` is how long it had been in that state. */
  | {
      readonly kind: 'part_changed';
      readonly part: PartReport;
      readonly from: PartState | undefined;
      readonly lastedMs: number;
    }
  | { readonly kind: 'readiness_changed'; readonly from: PartState; readonly to: PartState }
  /** `budgetMs`: how long the stop may take; the orchestrator's grace period must be longer. */
  | { readonly kind: 'stop_began'; readonly reason: string; readonly budgetMs: number }
  | ({ readonly kind: 'phase_ended'; readonly error?: unknown } & PhaseReport)
  | ({ readonly kind: 'stopped' } & StopReport);

export interface Lifecycle {
  /** Declares a part, not ready until it says so. Declare all before any is ready, or readiness comes and goes. */
  part(name: string): Part;
  readiness(): Readiness;
  /** Registers how to close something, when it has been opened. Phases run one by one, the last registered first. */
  onStop(phase: StopPhase): void;
  /**
   * Not ready at once; then, if the process had been in traffic, the settling time; then the phases. Never rejects.
   * A second call waits for the first. Also closes what was opened by a start that failed halfway.
   */
  stop(reason: string): Promise<StopReport>;
}

export interface LifecycleOptions {
  readonly clock: Clock;
  readonly schedule: Schedule;
  readonly onEvent: (event: LifecycleEvent) => void;
  /**
   * Between "not ready" and the first phase, while calls are still served: the time for Envoy's health check to see it
   * (interval × unhealthy threshold) and for Kubernetes to spread the removal of the endpoint.
   */
  readonly settleMs: number;
}

/** Not ready from the moment on that the process was told to stop. */
const PROCESS_PART = 'process';

export function createLifecycle({
  clock,
  schedule,
  onEvent,
  settleMs,
}: LifecycleOptions): Lifecycle {
  const parts = createParts(clock, onEvent);
  const phases: StopPhase[] = [];
  let stopping: Promise<StopReport> | undefined;

  const runPhase = async (phase: StopPhase): Promise<PhaseReport> => {
    const startMs = clock().monoMs;
    const ended = await withinDeadline(phase, schedule);
    const durationMs = clock().monoMs - startMs;
    const report: PhaseReport = { phase: phase.name, outcome: ended.outcome, durationMs };
    onEvent({ kind: 'phase_ended', ...report, ...('error' in ended && { error: ended.error }) });
    return report;
  };
  const stopOnce = async (reason: string): Promise<StopReport> => {
    const settle = parts.wasInTraffic() ? settleMs : 0;
    const budgetMs = phases.reduce((sum, phase) => sum + phase.deadlineMs, settle);
    onEvent({ kind: 'stop_began', reason, budgetMs });
    parts.set({ name: PROCESS_PART, state: 'not_ready', reason: 'draining' });
    if (settle > 0) await new Promise<void>((resolve) => schedule(resolve, settle));
    const reports: PhaseReport[] = [];
    for (let phase = phases.pop(); phase !== undefined; phase = phases.pop()) {
      reports.push(await runPhase(phase));
    }
    const clean = reports.every(({ outcome }) => outcome === 'done');
    const report: StopReport = { phases: reports, exitCode: clean ? 0 : 1 };
    onEvent({ kind: 'stopped', ...report });
    return report;
  };

  return {
    part(name) {
      if (parts.has(name)) throw new Error(`the part ${name} is declared twice`);
      parts.set({ name, state: 'not_ready', reason: 'starting' });
      return {
        ready: () => parts.set({ name, state: 'ready' }),
        degraded: (reason) => parts.set({ name, state: 'degraded', reason }),
        notReady: (reason) => parts.set({ name, state: 'not_ready', reason }),
      };
    },
    readiness: parts.readiness,
    onStop(phase) {
      phases.push(phase);
    },
    stop(reason) {
      stopping ??= stopOnce(reason);
      return stopping;
    },
  };
}

/** The parts as they stand; tells of each change, and of each that the whole process goes through. */
function createParts(clock: Clock, onEvent: LifecycleOptions['onEvent']) {
  // The built-in part also keeps a process that declared nothing from being ready for nothing: see `readiness`.
  const parts = new Map<string, PartReport>([
    [PROCESS_PART, { name: PROCESS_PART, state: 'ready', sinceMs: clock().wallMs }],
  ]);
  let announced: PartState = 'not_ready';
  let wasInTraffic = false;

  const readiness = (): Readiness => {
    const reports = [...parts.values()];
    const nothingDeclared = parts.size === 1;
    return { state: nothingDeclared ? 'not_ready' : worstOf(reports), parts: reports };
  };
  const set = (next: Omit<PartReport, 'sinceMs'>): void => {
    const before = parts.get(next.name);
    if (before?.state === next.state && before.reason === next.reason) return;
    const { wallMs } = clock();
    const part = { ...next, sinceMs: wallMs };
    parts.set(part.name, part);
    const lastedMs = Math.max(0, wallMs - (before?.sinceMs ?? wallMs));
    onEvent({ kind: 'part_changed', part, from: before?.state, lastedMs });
    const { state } = readiness();
    if (state === announced) return;
    const from = announced;
    announced = state;
    if (state !== 'not_ready') wasInTraffic = true;
    onEvent({ kind: 'readiness_changed', from, to: state });
  };
  const has = (name: string): boolean => parts.has(name);
  return { has, set, readiness, wasInTraffic: () => wasInTraffic };
}

function worstOf(parts: readonly PartReport[]): PartState {
  if (parts.some(({ state }) => state === 'not_ready')) return 'not_ready';
  return parts.some(({ state }) => state === 'degraded') ? 'degraded' : 'ready';
}

type PhaseEnd =
  | { readonly outcome: 'done' | 'cut' }
  | { readonly outcome: 'failed'; readonly error: unknown };

async function withinDeadline(phase: StopPhase, schedule: Schedule): Promise<PhaseEnd> {
  let cancel = () => {};
  const cut = new Promise<PhaseEnd>((resolve) => {
    cancel = schedule(() => resolve({ outcome: 'cut' }), phase.deadlineMs);
  });
  const ended = (async (): Promise<PhaseEnd> => {
    try {
      await phase.run();
      return { outcome: 'done' };
    } catch (error) {
      return { outcome: 'failed', error };
    }
  })();
  try {
    return await Promise.race([cut, ended]);
  } finally {
    cancel();
  }
}

const STOP_SIGNALS = { SIGINT: 2, SIGTERM: 15 } as const;
type StopSignal = keyof typeof STOP_SIGNALS;

/** What of `process` is needed, so that tests need no signals. */
export interface SignalSource {
  on(signal: StopSignal, run: () => void): unknown;
}

/**
 * The first SIGTERM or SIGINT stops in order and exits with the report's code; a second one exits at once, with 128 and
 * the signal's number, as a shell would report a process that a signal ended.
 */
export function stopOnSignals(
  lifecycle: Pick<Lifecycle, 'stop'>,
  target: { readonly signals: SignalSource; readonly exit: (code: number) => void },
): void {
  let stopping = false;
  for (const [signal, number] of [
    ['SIGINT', STOP_SIGNALS.SIGINT],
    ['SIGTERM', STOP_SIGNALS.SIGTERM],
  ] as const) {
    target.signals.on(signal, () => {
      if (stopping) {
        target.exit(128 + number);
        return;
      }
      stopping = true;
      void lifecycle.stop(signal).then(({ exitCode }) => target.exit(exitCode));
    });
  }
}
