import {
  createServer as createHttpServer,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import {
  createServer as createHttp2Server,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type ServerHttp2Session,
} from 'node:http2';
import { type AddressInfo, createServer, type Socket } from 'node:net';

/** A body is counted, not kept; beyond this it is refused. */
const BODY_BYTES_MAX = 10 * 1024 * 1024;
/** Whatever Envoy lets through by default (60 KiB) is to be seen here; Node's own limit is 16 KiB. */
const HEADER_BYTES_MAX = 128 * 1024;
/** An Envoy opens a few per worker; a demo that is left open to a network must not run out of files. */
const CONNECTIONS_MAX = 1000;

/** What the upstream saw of a request. */
export interface Echo {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  /** `1.1` or `2.0`. */
  readonly protocol: string;
  /** In the order of arrival, repeats kept. Bytes beyond ASCII as latin1. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly bodyBytes: number;
}

export interface EchoUpstream {
  readonly port: number;
  /** How many requests have arrived. */
  readonly requests: () => number;
  /** Ends every connection. */
  readonly close: () => Promise<void>;
}

/**
 * An upstream that answers every request with what it saw of it: JSON as the body, and for a gRPC call as the metadata
 * entry `echo`. One port speaks HTTP/1.1 and HTTP/2 without TLS (prior knowledge), since Envoy uses either.
 */
export async function startEchoUpstream(at: {
  readonly address?: string;
  readonly port: number;
}): Promise<EchoUpstream> {
  let requests = 0;
  const answer = (request: Request, response: Response): void => {
    requests += 1;
    // What fails here is a client that went away.
    echo(request, response).catch(() => response.destroy());
  };
  const http1 = createHttpServer({ maxHeaderSize: HEADER_BYTES_MAX }, answer);
  const http2 = createHttp2Server(answer);
  const open = new Set<Socket>();
  const sessions = new Set<ServerHttp2Session>();
  http2.on('session', (session) => {
    sessions.add(session);
    session.once('close', () => sessions.delete(session));
  });
  const server = createServer((socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    socket.on('error', () => socket.destroy());
    whenProtocolKnown(socket, (isHttp2) => (isHttp2 ? http2 : http1).emit('connection', socket));
  });
  server.maxConnections = CONNECTIONS_MAX;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(at.port, at.address ?? '127.0.0.1', resolve);
  });
  return {
    // A server that listens on TCP has an address of this shape.
    port: (server.address() as AddressInfo).port,
    requests: () => requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const session of sessions) session.destroy();
        for (const socket of open) socket.destroy();
      }),
  };
}

type Request = IncomingMessage | Http2ServerRequest;
type Response = ServerResponse | Http2ServerResponse;

/** `PRI * HTTP/2.0` opens HTTP/2 (RFC 9113 §3.4); no method of HTTP/1.1 begins so. */
const PREFACE_START = 'PRI';

function whenProtocolKnown(socket: Socket, handOver: (isHttp2: boolean) => void): void {
  const onReadable = (): void => {
    const start: Buffer | null = socket.read(PREFACE_START.length);
    if (start === null) return;
    socket.off('readable', onReadable);
    socket.unshift(start);
    handOver(start.toString('latin1') === PREFACE_START);
  };
  socket.on('readable', onReadable);
}

async function echo(request: Request, response: Response): Promise<void> {
  const bodyBytes = await countBody(request);
  const seen = JSON.stringify({
    method: request.method ?? '',
    path: request.url ?? '',
    protocol: request.httpVersion,
    headers: pairs(request.rawHeaders),
    bodyBytes,
  } satisfies Echo);
  const isGrpc = request.headers['content-type']?.startsWith('application/grpc') === true;
  if (bodyBytes > BODY_BYTES_MAX) refuse(response);
  else if (isGrpc) answerGrpc(response, seen);
  else answerJson(response, seen);
}

/** Stops counting, and reading, just beyond the limit. */
async function countBody(request: Request): Promise<number> {
  let bytes = 0;
  for await (const chunk of request) {
    bytes += (chunk as Buffer).length; // No encoding is set, so that chunks are Buffers.
    if (bytes > BODY_BYTES_MAX) break;
  }
  return bytes;
}

function pairs(flat: readonly string[]): [string, string][] {
  const list: [string, string][] = [];
  for (let index = 0; index + 1 < flat.length; index += 2) {
    list.push([flat[index] ?? '', flat[index + 1] ?? '']);
  }
  return list;
}

function refuse(response: Response): void {
  response.statusCode = 413;
  end(response, '');
}

function answerJson(response: Response, seen: string): void {
  response.setHeader('content-type', 'application/json');
  end(response, `${seen}\n`);
}

/** One empty message, which is a valid message of every type, and status 0 (gRPC over HTTP/2). */
function answerGrpc(response: Response, seen: string): void {
  response.setHeader('content-type', 'application/grpc');
  response.setHeader('echo', inAscii(seen));
  response.addTrailers({ 'grpc-status': '0' });
  end(response, Buffer.alloc(5));
}

/** Headers carry ASCII only; JSON has an escape for the rest. */
function inAscii(json: string): string {
  return json.replace(
    /[^\x20-\x7e]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** The two kinds of response overload `end` differently, so that TypeScript cannot call it on their union. */
function end(response: Response, body: string | Buffer): void {
  if ('stream' in response) response.end(body);
  else response.end(body);
}
