import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:tls';
import type { GrpcLimits } from './limits.ts';
import { type BoundSocketFile, listenUnix, type UnixListenAddress } from './listen-unix.ts';
import type { OnGrpcServerEvent, Schedule } from './ports.ts';
import { errorCode, GrpcStartError } from './start-error.ts';
import { loadCertificates, type TlsFiles, watchCertificates } from './tls.ts';

export interface TcpListenAddress {
  /** An IP address or a name that resolves to one; IPv6 without brackets. */
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
}

export type ListenAddress = TcpListenAddress | UnixListenAddress;
export type BoundAddress =
  | { readonly host: string; readonly port: number }
  | { readonly path: string };

/** The listening socket, TLS included: what comes out are connections that are ready for HTTP/2. */
export interface Listener {
  readonly address: BoundAddress;
  /** Reads the certificate files now; nothing to do without TLS. */
  reloadCertificates(): Promise<void>;
  /** Connections that the system has already accepted still come out; later ones are refused. */
  stopAccepting(): Promise<void>;
  /** Cuts what is still in its TLS handshake, and resolves when nothing is left. */
  close(): Promise<void>;
}

export interface ListenerOptions {
  readonly listen: ListenAddress;
  readonly tls: TlsFiles | undefined;
  readonly limits: GrpcLimits;
  readonly schedule: Schedule;
  readonly onConnection: (socket: Socket) => void;
  readonly onEvent: OnGrpcServerEvent;
}

/** @throws GrpcStartError for an address that cannot be bound or a certificate that cannot be used. */
export async function openListener(options: ListenerOptions): Promise<Listener> {
  const { listen, limits, onEvent } = options;
  const { server, certificates } =
    options.tls === undefined ? plainServer(options) : await tlsServer(options, options.tls);
  server.maxConnections = limits.connectionsMax;
  server.on('drop', () => {
    onEvent({ kind: 'connection_refused', connectionsMax: limits.connectionsMax });
  });
  // Before the handshake: whoever never finishes it must not hold up the close.
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });

  let file: BoundSocketFile | undefined;
  try {
    if ('path' in listen) {
      file = await listenUnix(server, listen);
      if (file.replacedStale) onEvent({ kind: 'stale_socket_replaced', path: listen.path });
    } else {
      await listenTcp(server, listen);
    }
  } catch (error) {
    certificates.stop();
    throw error;
  }
  server.on('error', (error) => onEvent({ kind: 'listener_failed', error }));

  const closed = new Promise<void>((resolve) => server.once('close', resolve));
  return {
    address: boundAddress(server, listen),
    reloadCertificates: certificates.reload,
    async stopAccepting() {
      certificates.stop();
      // The name goes first, so that nobody joins the queue of a Unix socket any more.
      file?.remove();
      await emptyAcceptQueue(server);
      server.close();
    },
    close() {
      for (const socket of sockets) socket.destroy();
      return closed;
    },
  };
}

interface BuiltServer {
  readonly server: Server;
  readonly certificates: { reload(): Promise<void>; stop(): void };
}

/** Node's default `backlog`; the system may keep the queue shorter. */
const ACCEPT_QUEUE_MAX = 511;

/** An answer is one small write: waiting for more to fill a packet (Nagle) would only delay it. */
const SOCKET_OPTIONS = { noDelay: true };

function plainServer({ onConnection }: ListenerOptions): BuiltServer {
  const server = createServer(SOCKET_OPTIONS, onConnection);
  return { server, certificates: { reload: async () => {}, stop: () => {} } };
}

async function tlsServer(options: ListenerOptions, files: TlsFiles): Promise<BuiltServer> {
  const { limits, onConnection, onEvent, schedule } = options;
  const current = await loadCertificates(files);
  const server: TlsServer = createTlsServer(
    {
      ...SOCKET_OPTIONS,
      ...current.context,
      ALPNProtocols: ['h2'],
      requestCert: files.clientCaFile !== undefined,
      rejectUnauthorized: true,
      handshakeTimeout: limits.handshakeTimeoutMs,
    },
    (socket) => {
      if (socket.alpnProtocol === 'h2') {
        onConnection(socket);
      } else {
        onEvent({ kind: 'handshake_failed', code: 'no_h2_in_alpn' });
        socket.destroy();
      }
    },
  );
  server.on('tlsClientError', (error, socket) => {
    onEvent({ kind: 'handshake_failed', code: errorCode(error) });
    // Node reports a handshake that timed out, and leaves it open.
    socket.destroy();
  });
  onEvent({ kind: 'certificate_loaded', notAfterMs: current.notAfterMs });
  const apply = ({ context }: { context: Parameters<TlsServer['setSecureContext']>[0] }) =>
    server.setSecureContext(context);
  return { server, certificates: watchCertificates({ files, current, schedule, apply, onEvent }) };
}

const listenTcp = (server: Server, { host, port }: TcpListenAddress): Promise<void> =>
  new Promise((resolve, reject) => {
    const onError = (cause: Error): void => {
      const code = errorCode(cause);
      const remedy = code === 'EADDRINUSE' ? 'another process listens there' : code;
      reject(new GrpcStartError(`cannot listen on ${host} port ${port}: ${remedy}`, { cause }));
    };
    server.once('error', onError);
    server.listen({ host, port }, () => {
      server.off('error', onError);
      resolve();
    });
  });

function boundAddress(server: Server, listen: ListenAddress): BoundAddress {
  if ('path' in listen) return { path: listen.path };
  const bound = server.address();
  return bound !== null && typeof bound === 'object'
    ? { host: bound.address, port: bound.port }
    : { host: listen.host, port: listen.port };
}

/**
 * The system keeps connections that nobody has accepted yet, and closing the socket would reset them; libuv takes one per
 * look at the sockets. Bounded, since on TCP new ones may keep coming.
 */
async function emptyAcceptQueue(server: Server): Promise<void> {
  let arrived = true;
  const onArrival = () => {
    arrived = true;
  };
  server.on('connection', onArrival).on('drop', onArrival);
  for (let looks = 0; arrived && looks < ACCEPT_QUEUE_MAX; looks++) {
    arrived = false;
    // Two turns of setImmediate have one whole look at the sockets between them.
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  }
  server.off('connection', onArrival).off('drop', onArrival);
}
