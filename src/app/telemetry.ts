import type { CacheObserver } from '../cache/ports.ts';
import type { ServeConfig } from '../config/serve-config.ts';
import type { FilePolicy } from '../policy/compile.ts';
import { formatProblem, type PolicyProblem } from '../policy/problem.ts';
import type { PolicyEvent } from '../policy/source.ts';
import { StoreFaultError } from '../postgres/errors.ts';
import { boundedLog } from '../telemetry/bounded-log.ts';
import { DenialLog } from '../telemetry/denial-log.ts';
import { errorFields } from '../telemetry/error-fields.ts';
import { createLog, type LogSink } from '../telemetry/logger.ts';
import { createMetrics, type Metrics } from '../telemetry/metrics.ts';
import { createDecisionObserver } from '../telemetry/observer.ts';
import type { DecisionObserver, Log, LogFields } from '../telemetry/ports.ts';
import { storeProblem } from './store-problem.ts';
import { systemClock } from './system.ts';

/** How often seconds that are over are told of; see DenialLog.flush. */
const DENIAL_FLUSH_MS = 1000;

/** Of a policy file that is something else altogether. */
const POLICY_PROBLEM_LINES_MAX = 20;

/** Opens where log lines go; told of each line that could not be written. */
export type OpenSink = (onDropped: () => void) => LogSink;

export interface Telemetry {
  readonly log: Log;
  readonly metrics: Metrics;
  readonly observer: DecisionObserver;
  readonly cacheObserver: CacheObserver;
  /** As `log`, for what a stranger can bring about at will: the rest of a flood is not told. */
  readonly logBounded: Log;
  /** A bug, or a database that refuses us. */
  onFault(error: unknown): void;
  onPolicy(event: PolicyEvent, policy: () => FilePolicy, file: string): void;
  /** The last lines are written when it resolves. */
  close(): Promise<void>;
}

export function createTelemetry(
  config: Pick<ServeConfig, 'log' | 'replicaName'>,
  { openSink, version }: { readonly openSink: OpenSink; readonly version: string },
): Telemetry {
  const clock = systemClock;
  const metrics = createMetrics({ version, nodeVersion: process.version, clock });
  const sink = openSink(metrics.logLineDropped);
  const log = createLog({ level: config.log.level, replica: config.replicaName, sink });
  const denials = new DenialLog({
    ...{ log, clock, linesPerSecondMax: config.log.denialsPerSecond },
    onSuppressed: metrics.denialSuppressed,
  });
  const flushing = setInterval(() => denials.flush(), DENIAL_FLUSH_MS).unref();
  const logFault = boundedLog(log, clock);
  const onFault = (error: unknown): void => {
    metrics.fault();
    if (error instanceof StoreFaultError) logFault('error', REFUSED, refusalFields(error));
    else logFault('error', 'fault', errorFields(error));
  };
  return {
    ...{ log, metrics, onFault, logBounded: boundedLog(log, clock) },
    observer: createDecisionObserver(metrics, denials),
    cacheObserver: {
      loadEnded: metrics.lookupEnded,
      historyLost: () => log('warn', 'another change log: what is in memory is loaded again'),
      fault: onFault,
    },
    onPolicy: (event, policy, file) => tellPolicy({ log, metrics }, { event, policy, file }),
    close() {
      clearInterval(flushing);
      denials.flush();
      return sink.end();
    },
  };
}

function tellPolicy(
  { log, metrics }: Pick<Telemetry, 'log' | 'metrics'>,
  told: { event: PolicyEvent; policy: () => FilePolicy; file: string },
): void {
  const { event, file } = told;
  switch (event.kind) {
    case 'loaded': {
      const { sha256, generation } = event;
      metrics.policyLoaded({ sha256, generation, ruleNames: told.policy().rulesByName.keys() });
      log('info', 'policy in force', { file, sha256, generation });
      for (const problem of event.warnings) {
        log('warn', 'policy warning', { file, problem: formatProblem(problem) });
      }
      return;
    }
    case 'rejected':
      metrics.policyRejected();
      tellPolicyErrors(log, event.errors, file);
      return;
    case 'restored':
      metrics.policyRestored();
      log('info', 'policy file is again what is in force', { file, sha256: event.sha256 });
      return;
  }
}

function tellPolicyErrors(log: Log, errors: readonly PolicyProblem[], file: string): void {
  for (const problem of errors.slice(0, POLICY_PROBLEM_LINES_MAX)) {
    log('error', 'policy rejected, the one before stays in force', {
      file,
      problem: formatProblem(problem),
    });
  }
  const untold = errors.length - POLICY_PROBLEM_LINES_MAX;
  if (untold > 0) log('error', 'the policy has more errors', { file, errors: untold });
}

const REFUSED = 'the database refused a statement';

/** SQLSTATE class 42, "syntax error or access rule violation": its messages name tables, columns and rights, never values. */
const NAMES_ONLY = '42';

function refusalFields(error: StoreFaultError): LogFields {
  const { sqlState, constraint } = error;
  const problem = sqlState.startsWith(NAMES_ONLY) ? storeProblem(error)?.message : undefined;
  return { ...errorFields(error), sql_state: sqlState, constraint, problem };
}
