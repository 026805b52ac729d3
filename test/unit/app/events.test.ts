import { describe, expect, it } from 'vitest';
import { tellGrpc, tellLifecycle } from '../../../src/app/events.ts';
import { createTelemetry } from '../../../src/app/telemetry.ts';
import type { GrpcServerEvent } from '../../../src/grpc/ports.ts';
import type { LifecycleEvent } from '../../../src/lifecycle.ts';
import { deny } from '../../../src/model/decision.ts';
import { keptLog, reportOf } from '../telemetry/fixtures.ts';

it.each<GrpcServerEvent>([
  { kind: 'handler_failed', error: new TypeError('a bug') },
  { kind: 'reply_unusable', bytes: 2_000_000 },
])(
  'a bug that every request meets is counted each time, and does not flood the log: $kind',
  async (event) => {
    const lines: string[] = [];
    const telemetry = createTelemetry(
      { log: { level: 'info', denialsPerSecond: 1 }, replicaName: 'test' },
      {
        version: '0',
        openSink: () => ({ write: (line) => lines.push(line), end: () => Promise.resolve() }),
      },
    );
    for (let count = 0; count < 1000; count += 1)
      tellGrpc(event, { telemetry, certificate: undefined });
    await telemetry.close();
    expect(lines.length).toBeGreaterThan(0);
    // A second may end in between.
    expect(lines.length).toBeLessThanOrEqual(10);
    expect((await telemetry.metrics.scrape()).body).toContain('latchkey_faults_total 1000');
  },
);

describe('of readiness', () => {
  const store = { name: 'store', sinceMs: 0 } as const;
  it.each<[string, LifecycleEvent, object]>([
    [
      'a part that is declared is nothing to read at night',
      {
        kind: 'part_changed',
        part: { ...store, state: 'not_ready', reason: 'starting' },
        ...{ from: undefined, lastedMs: 0 },
      },
      { level: 'debug', fields: { part: 'store', state: 'not_ready', reason: 'starting' } },
    ],
    [
      'a part that changes says from what, and after how long',
      {
        kind: 'part_changed',
        part: { ...store, state: 'ready' },
        ...{ from: 'degraded', lastedMs: 65_000 },
      },
      { level: 'info', fields: { from: 'degraded', state: 'ready', after_ms: 65_000 } },
    ],
    [
      'a process that is degraded is a warning',
      { kind: 'readiness_changed', from: 'ready', to: 'degraded' },
      { level: 'warn', fields: { from: 'ready', to: 'degraded' } },
    ],
    [
      'a process that is ready again is not',
      { kind: 'readiness_changed', from: 'degraded', to: 'ready' },
      { level: 'info' },
    ],
  ])('%s', (_, event, line) => {
    const { log, lines } = keptLog();
    tellLifecycle(event, log);
    expect(lines).toMatchObject([line]);
  });
});

it('a certificate that cannot be used degrades its part, until one can', () => {
  const telemetry = createTelemetry(
    { log: { level: 'silent', denialsPerSecond: 1 }, replicaName: 'test' },
    { version: '0', openSink: () => ({ write: () => {}, end: () => Promise.resolve() }) },
  );
  const states: string[] = [];
  const certificate = {
    ready: () => states.push('ready'),
    degraded: () => states.push('degraded'),
    notReady: () => states.push('not_ready'),
  };
  const tell = (event: GrpcServerEvent) => tellGrpc(event, { telemetry, certificate });
  tell({ kind: 'certificate_loaded', notAfterMs: 1 });
  tell({ kind: 'certificate_rejected', message: 'The key does not fit the certificate.' });
  tell({ kind: 'certificate_loaded', notAfterMs: 2 });
  expect(states).toEqual(['ready', 'degraded', 'ready']);
});

it('of a flood of denials as many lines are written as configured, and then their number', async () => {
  const lines: string[] = [];
  const telemetry = createTelemetry(
    { log: { level: 'info', denialsPerSecond: 2 }, replicaName: 'test' },
    {
      version: '0',
      openSink: () => ({ write: (line) => lines.push(line), end: () => Promise.resolve() }),
    },
  );
  const denial = deny('key_unknown');
  for (let count = 0; count < 1000; count += 1) telemetry.observer.decided(reportOf(denial));
  await telemetry.close();
  // A second may end in between, and begin anew.
  expect(lines.filter((line) => line.includes('"request denied"')).length).toBeLessThanOrEqual(4);
  const { body } = await telemetry.metrics.scrape();
  expect(body).toMatch(/^latchkey_log_denials_suppressed_total\{reason="key_unknown"\} 99\d$/m);
});
