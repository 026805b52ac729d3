import type { Socket } from 'node:net';
import { type Server as GrpcJsServer, ServerCredentials } from '@grpc/grpc-js';
import type { GrpcLimits } from './limits.ts';
import type { Random, Schedule } from './ports.ts';

/** Ages spread by this part up and down, so that connections opened together do not end together. */
const AGE_JITTER = 0.1;

export interface Connections {
  /** Hands a connection to grpc-js. */
  admit(socket: Socket): void;
  readonly count: number;
  /** Asks every client to leave, lets its calls finish, and cuts it after `graceMs`. New ones are cut at once. */
  retireAll(graceMs: number): void;
  /** Resolves when no connection is open. */
  allClosed(): Promise<void>;
  /** @returns how many were still open. */
  destroyAll(): number;
}

/**
 * The open connections, each with an end: by its client, by its age, or by a drain.
 *
 * Ending one sends a GOAWAY that refuses, from that moment, calls that are still on their way: Node has no way to send
 * the notice that RFC 9113 §6.8 asks for first (nghttp2_submit_shutdown_notice), and after its `goaway` it drops
 * what arrives. A busy client nearly always has a call on its way. Therefore a drain comes after the health service has
 * said NOT_SERVING for a while; the age is longer than the one that Envoy is told to keep (`max_connection_duration`: a
 * client that leaves loses nothing); and what is refused all the same was not processed, so Envoy may repeat it
 * (`retry_on: refused-stream`, with `max_retries` above its default of 3, since many are refused at once). Writing
 * the notice to the socket beside Node is no way out: under load that aborts the process.
 *
 * Each connection has a connection injector of its own, because an injector is the smallest thing that grpc-js can drain.
 */
export function createConnections(options: {
  readonly grpc: GrpcJsServer;
  readonly limits: GrpcLimits;
  readonly schedule: Schedule;
  readonly random: Random;
}): Connections {
  const { grpc, limits, schedule, random } = options;
  const open = new Map<Socket, { retire(graceMs: number): void }>();
  const waiting = new Set<() => void>();
  let retired = false;

  const admit = (socket: Socket): void => {
    if (retired || socket.destroyed) {
      socket.destroy();
      return;
    }
    const injector = grpc.createConnectionInjector(ServerCredentials.createInsecure());
    const retire = (graceMs: number): void => {
      cancel();
      injector.drain(graceMs);
      // grpc-js cuts the HTTP/2 session; a client may still hold its half of the socket.
      cancel = schedule(() => socket.destroy(), graceMs);
    };
    const ageMs = limits.connectionAgeMs * (1 + AGE_JITTER * (2 * random() - 1));
    let cancel = schedule(() => retire(limits.connectionAgeGraceMs), ageMs);
    open.set(socket, { retire });
    socket.once('close', () => {
      cancel();
      open.delete(socket);
      injector.destroy();
      if (open.size === 0) for (const resolve of waiting) resolve();
    });
    injector.injectConnection(socket);
  };

  return {
    admit,
    get count() {
      return open.size;
    },
    retireAll(graceMs) {
      retired = true;
      for (const connection of open.values()) connection.retire(graceMs);
    },
    allClosed: () =>
      new Promise((resolve) => {
        if (open.size === 0) resolve();
        else waiting.add(resolve);
      }),
    destroyAll() {
      const forced = open.size;
      for (const socket of open.keys()) socket.destroy();
      return forced;
    },
  };
}
