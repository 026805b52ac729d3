import { ok, type Result, refusal } from '../accounts/result.ts';
import type { ServeConfig, TlsConfig } from '../config/serve-config.ts';
import { fallbackReply } from '../envoy/fallback.ts';
import type { CheckHandler } from '../envoy/ports.ts';
import { createGrpcServer, type GrpcServer } from '../grpc/server.ts';
import { GrpcStartError } from '../grpc/start-error.ts';
import type { TlsFiles } from '../grpc/tls.ts';
import type { Lifecycle, Part } from '../lifecycle.ts';
import { tellGrpc } from './events.ts';
import { systemClock, systemSchedule } from './system.ts';
import type { Telemetry } from './telemetry.ts';

/** Beyond the grace that connections have: cutting what is left takes no time. */
const CUT_MS = 2000;

interface Surroundings {
  readonly telemetry: Telemetry;
  readonly lifecycle: Lifecycle;
  readonly handler: CheckHandler;
  /** With TLS only. */
  readonly certificate: Part | undefined;
}

/** The listener that Envoy asks. */
export async function openGrpc(
  config: ServeConfig,
  { telemetry, lifecycle, handler, certificate }: Surroundings,
): Promise<Result<GrpcServer>> {
  const { checkListen, tls, drain } = config;
  try {
    const server = await createGrpcServer({
      listen: checkListen,
      ...(tls !== undefined && { tls: tlsFiles(tls) }),
      handler,
      fallback: fallbackReply(),
      ...{ clock: systemClock, schedule: systemSchedule, random: Math.random },
      onEvent: (event) => tellGrpc(event, { telemetry, certificate }),
    });
    lifecycle.onStop({
      name: 'grpc',
      deadlineMs: drain.graceMs + CUT_MS,
      async run() {
        const { forcedConnections } = await server.drain({ graceMs: drain.graceMs });
        if (forcedConnections === 0) return;
        telemetry.log('warn', 'connections cut after the grace', {
          connections: forcedConnections,
        });
      },
    });
    return ok(server);
  } catch (error) {
    if (error instanceof GrpcStartError) return refusal('conflict', error.message);
    throw error;
  }
}

function tlsFiles({ clientCaFile, ...certificate }: TlsConfig): TlsFiles {
  return clientCaFile === undefined ? certificate : { ...certificate, clientCaFile };
}

/** As Envoy or a person would write it. */
export function addressText({ address }: GrpcServer): string {
  return 'path' in address ? `unix:${address.path}` : `${address.host}:${address.port}`;
}
