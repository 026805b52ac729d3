import type { GrpcServerEvent } from '../grpc/ports.ts';
import type { LifecycleEvent, Part } from '../lifecycle.ts';
import { errorFields } from '../telemetry/error-fields.ts';
import type { Log } from '../telemetry/ports.ts';
import type { Telemetry } from './telemetry.ts';

/** What the lifecycle tells, as log lines. */
export function tellLifecycle(event: LifecycleEvent, log: Log): void {
  switch (event.kind) {
    case 'part_changed': {
      const { part, from, lastedMs } = event;
      const { name, state, reason } = part;
      // That every part begins as not ready is no news.
      const level = from === undefined ? 'debug' : 'info';
      log(level, 'part changed', { part: name, from, state, reason, after_ms: lastedMs });
      break;
    }
    case 'readiness_changed':
      log(event.to === 'degraded' ? 'warn' : 'info', 'readiness changed', {
        from: event.from,
        to: event.to,
      });
      break;
    case 'stop_began':
      log('info', 'stopping', { reason: event.reason, budget_ms: event.budgetMs });
      break;
    case 'phase_ended': {
      const { phase, outcome, durationMs, error } = event;
      const fields = { phase, outcome, duration_ms: Math.round(durationMs) };
      const problem = error === undefined ? {} : errorFields(error);
      log(outcome === 'done' ? 'info' : 'error', 'stop phase ended', {
        ...fields,
        ...problem,
      });
      break;
    }
    case 'stopped':
      log('info', 'stopped', { exit_code: event.exitCode });
      break;
  }
}

export interface GrpcListeners {
  readonly telemetry: Telemetry;
  /** With TLS only. */
  readonly certificate: Part | undefined;
}

/** What the gRPC server tells of itself. */
export function tellGrpc(event: GrpcServerEvent, { telemetry, certificate }: GrpcListeners): void {
  const { log, logBounded, onFault, metrics } = telemetry;
  switch (event.kind) {
    case 'handler_failed':
    case 'listener_failed':
      onFault(event.error);
      break;
    case 'reply_unusable':
      metrics.fault();
      logBounded('error', 'a reply that cannot be sent', { bytes: event.bytes });
      break;
    case 'certificate_loaded':
      metrics.certificateLoaded(event.notAfterMs);
      certificate?.ready();
      log('info', 'certificate in use', {
        not_after: new Date(event.notAfterMs).toISOString(),
      });
      break;
    case 'certificate_rejected':
      metrics.certificateRejected();
      certificate?.degraded('the changed certificate files cannot be used (see the log)');
      log('error', 'certificate rejected, the one before stays in use', {
        problem: event.message,
      });
      break;
    case 'handshake_failed':
      logBounded('warn', 'TLS handshake failed', { code: event.code });
      break;
    case 'connection_refused':
      logBounded('warn', 'too many connections', { connections_max: event.connectionsMax });
      break;
    case 'stale_socket_replaced':
      log('info', 'stale socket replaced', { path: event.path });
      break;
  }
}
