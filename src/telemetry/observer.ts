import type { DenialLog } from './denial-log.ts';
import type { Metrics } from './metrics.ts';
import type { DecisionObserver } from './ports.ts';

/** Counts every decision and tells of denials. An allow costs two map look-ups and no text. */
export function createDecisionObserver(metrics: Metrics, denials: DenialLog): DecisionObserver {
  return {
    decided(report) {
      metrics.decided(report);
      if (report.decision.kind === 'deny') denials.record(report.decision, report);
    },
  };
}
