import type { Clock } from '../model/clock.ts';
import type { Denial } from '../model/decision.ts';
import { DENIAL_REASONS, type DenialReason, denialRow } from '../model/denials.ts';
import { clientText } from './client-text.ts';
import type { DecisionReport, Log, LogFields, LogLevel } from './ports.ts';

export interface DenialLogOptions {
  readonly log: Log;
  /** Of each reason. */
  readonly linesPerSecondMax: number;
  readonly clock: Clock;
  readonly onSuppressed: (reason: DenialReason) => void;
}

const SECOND_MS = 1000;

/** The running second of one reason. */
interface Second {
  startedMonoMs: number;
  written: number;
  suppressed: number;
}

/**
 * One line per denial, as long as there are few. Of a flood each reason writes so many lines a second and then one
 * that says how many more there were, so that neither the disk nor another reason's lines suffer.
 */
export class DenialLog {
  readonly #options: DenialLogOptions;
  readonly #seconds: ReadonlyMap<DenialReason, Second>;

  constructor(options: DenialLogOptions) {
    this.#options = options;
    this.#seconds = new Map(
      DENIAL_REASONS.map((reason) => [
        reason,
        { startedMonoMs: Number.NEGATIVE_INFINITY, written: 0, suppressed: 0 },
      ]),
    );
  }

  record(denial: Denial, report: DecisionReport): void {
    const { reason } = denial;
    const second = this.#seconds.get(reason);
    if (second === undefined) return;
    const { monoMs } = this.#options.clock();
    if (monoMs - second.startedMonoMs >= SECOND_MS) {
      this.#endSecond(reason, second);
      second.startedMonoMs = monoMs;
    }
    if (second.written < this.#options.linesPerSecondMax) {
      second.written += 1;
      this.#options.log(levelOf(reason), 'request denied', fieldsOf(denial, report));
    } else {
      second.suppressed += 1;
      this.#options.onSuppressed(reason);
    }
  }

  /** Tells of seconds that are over. To be called every second or so: after a flood no denial may come to do it. */
  flush(): void {
    const { monoMs } = this.#options.clock();
    for (const [reason, second] of this.#seconds) {
      if (monoMs - second.startedMonoMs >= SECOND_MS) this.#endSecond(reason, second);
    }
  }

  #endSecond(reason: DenialReason, second: Second): void {
    if (second.suppressed > 0) {
      const { written, suppressed } = second;
      this.#options.log(levelOf(reason), 'more requests denied', { reason, written, suppressed });
    }
    second.written = 0;
    second.suppressed = 0;
  }
}

/** What a client did is information, what we could not do is a warning, what should not happen is an error. */
function levelOf(reason: DenialReason): LogLevel {
  if (reason === 'internal_error') return 'error';
  return denialRow(reason).httpStatus >= 500 ? 'warn' : 'info';
}

/** The allow-list of what is told of a denial. */
function fieldsOf(denial: Denial, report: DecisionReport): LogFields {
  const { subject } = denial;
  return {
    decision_id: report.decisionId,
    reason: denial.reason,
    // What the client was told: of a hidden route, that there is nothing.
    status: denialRow(denial.hidden ? 'route_not_found' : denial.reason).httpStatus,
    rule: denial.rule?.name,
    key_id: subject?.keyId,
    organization: subject?.organizationId,
    limit: violatedLimit(denial),
    malformed: denial.malformed,
    hidden: denial.hidden ? true : undefined,
    method: clientText(report.method),
    host: clientText(report.host),
    path: clientText(report.path),
    client_address: report.clientAddress,
    duration_ms: Math.round(report.durationMs * 1000) / 1000,
  };
}

function violatedLimit(denial: Denial): string | undefined {
  return denial.reports.find((report) => report.retryAfterMs > 0)?.limit.id;
}
