import { describe, expect, it } from 'vitest';
import { DenialLog } from '../../../src/telemetry/denial-log.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import { createDecisionObserver } from '../../../src/telemetry/observer.ts';
import { allowed, denied, handClock, keptLog, reportOf } from './fixtures.ts';

describe('the observer of decisions', () => {
  it('counts every decision, and logs denials only', async () => {
    const { clock } = handClock();
    const { log, lines } = keptLog();
    const metrics = createMetrics({ version: '1', nodeVersion: 'v26', clock });
    const onSuppressed = metrics.denialSuppressed;
    const denials = new DenialLog({ log, linesPerSecondMax: 1, clock, onSuppressed });
    const observer = createDecisionObserver(metrics, denials);
    metrics.policyLoaded({ sha256: 'a', generation: 1, ruleNames: ['r'] });

    observer.decided(reportOf(allowed('r')));
    observer.decided(reportOf(denied('key_unknown', 'r')));
    observer.decided(reportOf(denied('key_unknown', 'r')));

    const { body } = await metrics.scrape();
    expect(body).toContain('latchkey_decisions_total{reason="allowed",rule="r"} 1');
    expect(body).toContain('latchkey_decisions_total{reason="key_unknown",rule="r"} 2');
    expect(body).toContain('latchkey_log_denials_suppressed_total{reason="key_unknown"} 1');
    expect(lines).toHaveLength(1);
  });
});
