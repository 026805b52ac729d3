import { Server as GrpcJsServer } from '@grpc/grpc-js';
import type { CheckHandler } from '../envoy/ports.ts';
import { AUTHORIZATION_SERVICE_NAME, addCheckMethod } from './check-method.ts';
import { createConnections } from './connections.ts';
import { addHealthService } from './health.ts';
import { channelOptions, completeLimits, type GrpcLimits } from './limits.ts';
import { type BoundAddress, type ListenAddress, openListener } from './listener.ts';
import type { Clock, OnGrpcServerEvent, Random, Schedule } from './ports.ts';
import type { TlsFiles } from './tls.ts';

export interface GrpcServerOptions {
  readonly listen: ListenAddress;
  /** Without it the connection is plain: for a Unix socket or the loopback address. */
  readonly tls?: TlsFiles;
  readonly handler: CheckHandler;
  /** The bytes of a CheckResponse that denies (non-zero `status.code`), sent when the handler fails. */
  readonly fallback: Uint8Array;
  /** Overrides of DEFAULT_GRPC_LIMITS. */
  readonly limits?: Partial<GrpcLimits>;
  readonly clock: Clock;
  readonly schedule: Schedule;
  readonly random: Random;
  readonly onEvent: OnGrpcServerEvent;
}

export interface GrpcServer {
  /** Where it listens; a port of 0 has become the real one. */
  readonly address: BoundAddress;
  readonly connectionCount: number;
  /** What grpc.health.v1.Health says: NOT_SERVING at first. Calls are answered either way. */
  setServing(serving: boolean): void;
  /** Reads the certificate files now, rather than at the next interval. */
  reloadCertificates(): Promise<void>;
  /**
   * Ends the server without losing a call, within `graceMs`. The socket file goes, new connections are refused, health
   * says NOT_SERVING, every client is asked to leave (GOAWAY) and its calls are finished; what is still open
   * after `graceMs` is cut, and counted in `forcedConnections`. A second call waits for the first.
   *
   * Clients that look at health should have been given the time to see NOT_SERVING before this is called.
   */
  drain(grace: { readonly graceMs: number }): Promise<DrainReport>;
}

export interface DrainReport {
  readonly forcedConnections: number;
}

/**
 * A gRPC server for Envoy's ext_authz, listening when the promise resolves.
 *
 * Rolling restart: each sidecar has an address of its own, and Envoy's cluster lists them all with a gRPC health check;
 * the one that stops says NOT_SERVING, and drains once Envoy has turned to the others. Two processes never share a
 * socket path: a successor on the same path starts after its predecessor began to drain or died.
 *
 * @throws GrpcStartError when the address or the certificate cannot be used; RangeError for limits out of range.
 */
export async function createGrpcServer(options: GrpcServerOptions): Promise<GrpcServer> {
  const { handler, fallback, clock, schedule, random, onEvent } = options;
  const limits = completeLimits(options.limits);
  const grpc = new GrpcJsServer(channelOptions(limits));
  addCheckMethod(grpc, {
    handler,
    fallback,
    replyBytesMax: limits.replyBytesMax,
    clock,
    onEvent,
  });
  const health = addHealthService(grpc, {
    serviceName: AUTHORIZATION_SERVICE_NAME,
    watchersMax: limits.healthWatchersMax,
  });
  const connections = createConnections({ grpc, limits, schedule, random });
  const listener = await openListener({
    listen: options.listen,
    tls: options.tls,
    limits,
    schedule,
    onConnection: connections.admit,
    onEvent,
  });

  const drainOnce = async (graceMs: number): Promise<DrainReport> => {
    const deadline = delay(schedule, graceMs);
    health.drain();
    await listener.stopAccepting();
    connections.retireAll(graceMs);
    await Promise.race([connections.allClosed(), deadline.passed]);
    deadline.cancel();
    const forcedConnections = connections.destroyAll();
    await listener.close();
    grpc.forceShutdown();
    return { forcedConnections };
  };
  let draining: Promise<DrainReport> | undefined;
  return {
    address: listener.address,
    get connectionCount() {
      return connections.count;
    },
    setServing: health.setServing,
    reloadCertificates: listener.reloadCertificates,
    drain({ graceMs }) {
      draining ??= drainOnce(graceMs);
      return draining;
    },
  };
}

function delay(schedule: Schedule, delayMs: number) {
  let cancel = () => {};
  const passed = new Promise<void>((resolve) => {
    cancel = schedule(resolve, delayMs);
  });
  return { passed, cancel };
}
