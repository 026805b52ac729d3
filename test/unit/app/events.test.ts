import { expect, it } from 'vitest';
import { tellGrpc } from '../../../src/app/events.ts';
import { createTelemetry } from '../../../src/app/telemetry.ts';
import type { GrpcServerEvent } from '../../../src/grpc/ports.ts';

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
    for (let count = 0; count < 1000; count += 1) tellGrpc(event, telemetry);
    await telemetry.close();
    expect(lines.length).toBeGreaterThan(0);
    // A second may end in between.
    expect(lines.length).toBeLessThanOrEqual(10);
    expect((await telemetry.metrics.scrape()).body).toContain('latchkey_faults_total 1000');
  },
);
