import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { Client, credentials, Metadata } from '@grpc/grpc-js';
import type { Echo } from '../../src/app/echo-upstream.ts';

/** In order, repeats allowed. */
export type HeaderPairs = readonly (readonly [name: string, value: string])[];

export interface HttpResponse {
  readonly status: number;
  /** In the order of arrival, repeats kept, names in lower case. */
  readonly headers: HeaderPairs;
  readonly body: string;
  /** The first value under a lower-case name. */
  header(name: string): string | undefined;
  /** Every value under a lower-case name. */
  values(name: string): readonly string[];
  /** The body as what the echo upstream saw. */
  echo(): Echo;
  /** The body as an object. */
  json(): Record<string, unknown>;
}

export interface GrpcResponse {
  /** `google.rpc.Code`. */
  readonly code: number;
  readonly message: string;
  /** Of the trailers, or of the one block of headers that a refusal has. */
  readonly metadata: Metadata;
  /** What the echo upstream saw; absent when the call did not get there. */
  readonly echo: Echo | undefined;
}

export interface RequestInit {
  readonly method?: string;
  /** Path and query, sent as they are. */
  readonly path?: string;
  readonly headers?: HeaderPairs;
  readonly body?: string | Buffer;
}

/** A client that waits longer than this waits for nothing. */
const TIMEOUT_MS = 15_000;

/** One HTTP/1.1 request on a connection of its own. `host` and, with a body, `content-length` are added where absent. */
export function http1Request(port: number, request: RequestInit): Promise<HttpResponse> {
  const { method = 'GET', path = '/', headers = [], body = '' } = request;
  const has = (name: string): boolean => headers.some(([key]) => key.toLowerCase() === name);
  const bytes = Buffer.from(body);
  const lines = [
    `${method} ${path} HTTP/1.1`,
    ...(has('host') ? [] : ['host: localhost']),
    ...(has('content-length') || bytes.length === 0 ? [] : [`content-length: ${bytes.length}`]),
    ...headers.map(([name, value]) => `${name}: ${value}`),
  ];
  return http1Raw(
    port,
    Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), bytes]),
  );
}

/**
 * Sends bytes as they are and reads one HTTP/1.1 response; text is taken as latin1.
 * @throws Error when the connection ends or the time is up before the response is whole.
 */
export function http1Raw(port: number, bytes: Buffer | string): Promise<HttpResponse> {
  // RFC 9112 §6.3: a response to HEAD has no body, whatever its content-length says.
  const isHead = bytes.slice(0, 5).toString() === 'HEAD ';
  return new Promise((resolve, reject) => {
    let received = Buffer.alloc(0);
    const socket = connect(port, '127.0.0.1', () => {
      socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
    });
    const finish = (outcome: HttpResponse | Error): void => {
      socket.destroy();
      if (outcome instanceof Error) reject(outcome);
      else resolve(outcome);
    };
    socket.setTimeout(TIMEOUT_MS, () => finish(new Error(`no response within ${TIMEOUT_MS} ms`)));
    socket.on('error', finish);
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      const response = parse(received, { isHead, isClosed: false });
      if (response !== undefined) finish(response);
    });
    socket.on('close', () => {
      finish(
        parse(received, { isHead, isClosed: true }) ??
          new Error('the connection was closed without a response'),
      );
    });
  });
}

interface Parsing {
  readonly isHead: boolean;
  /** Nothing more will come. */
  readonly isClosed: boolean;
}

/** `undefined`: not whole yet. */
function parse(bytes: Buffer, parsing: Parsing): HttpResponse | undefined {
  const headEnd = bytes.indexOf('\r\n\r\n');
  if (headEnd < 0) return undefined;
  const [statusLine = '', ...lines] = bytes.subarray(0, headEnd).toString('latin1').split('\r\n');
  const headers = lines.map((line): [string, string] => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  });
  const status = Number(statusLine.split(' ')[1]);
  const rest = bytes.subarray(headEnd + 4);
  if (status === 100) return parse(rest, parsing);
  const hasBody = !parsing.isHead && status !== 101 && status !== 204 && status !== 304;
  const body = hasBody ? parseBody(rest, new Map(headers), parsing.isClosed) : '';
  return body === undefined ? undefined : httpResponse(status, headers, body);
}

/** RFC 9112 §6.3. */
function parseBody(
  bytes: Buffer,
  headers: ReadonlyMap<string, string>,
  isClosed: boolean,
): string | undefined {
  if (headers.get('transfer-encoding') === 'chunked') return parseChunks(bytes.toString('latin1'));
  const length = headers.get('content-length');
  if (length === undefined) return isClosed ? bytes.toString('utf8') : undefined;
  return bytes.length < Number(length)
    ? undefined
    : bytes.subarray(0, Number(length)).toString('utf8');
}

function parseChunks(rest: string): string | undefined {
  let body = '';
  for (let at = 0; ; ) {
    const lineEnd = rest.indexOf('\r\n', at);
    if (lineEnd < 0) return undefined;
    const size = Number.parseInt(rest.slice(at, lineEnd), 16);
    if (size === 0) return Buffer.from(body, 'latin1').toString('utf8');
    body += rest.slice(lineEnd + 2, lineEnd + 2 + size);
    at = lineEnd + 2 + size + 2;
    if (at > rest.length) return undefined;
  }
}

function httpResponse(status: number, headers: HeaderPairs, body: string): HttpResponse {
  const values = (name: string): string[] =>
    headers.filter(([key]) => key === name).map(([, value]) => value);
  return {
    status,
    headers,
    body,
    values,
    header: (name) => values(name)[0],
    echo: () => JSON.parse(body),
    json: () => JSON.parse(body),
  };
}

/**
 * One HTTP/2 request (prior knowledge) on a connection of its own. `:authority` is `localhost`, unless `headers` has it.
 * @throws Error when the stream is reset.
 */
export function http2Request(port: number, request: RequestInit): Promise<HttpResponse> {
  const { method = 'GET', path = '/', headers = [], body } = request;
  const pseudo: [string, string][] = [
    [':method', method],
    [':path', path],
    [':scheme', 'http'],
  ];
  if (!headers.some(([name]) => name === ':authority')) pseudo.push([':authority', 'localhost']);
  return new Promise((resolve, reject) => {
    const session = connectHttp2(`http://127.0.0.1:${port}`);
    session.setTimeout(TIMEOUT_MS, () => session.destroy(new Error('no response')));
    session.on('error', reject);
    session.on('close', () => reject(new Error('the connection was closed without a response')));
    const stream = session.request([...pseudo, ...headers].flat());
    const chunks: Buffer[] = [];
    let head: { status: number; headers: HeaderPairs } | undefined;
    stream.on('response', (parsed, _flags, flat: readonly string[]) => {
      head = { status: Number(parsed[':status']), headers: pairs(flat) };
    });
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('error', reject);
    stream.on('end', () => {
      if (head === undefined) reject(new Error('the stream ended without a response'));
      else resolve(httpResponse(head.status, head.headers, Buffer.concat(chunks).toString('utf8')));
      session.close();
    });
    stream.end(body);
  });
}

function pairs(flat: readonly string[]): HeaderPairs {
  return flat.flatMap((name, index) =>
    index % 2 === 0 && !name.startsWith(':') ? [[name.toLowerCase(), flat[index + 1] ?? '']] : [],
  );
}

/** One unary gRPC call with an empty message. `path` is `/package.Service/Method`. */
export function grpcRequest(
  port: number,
  { path = '/echo.Echo/Echo', headers = [] }: { path?: string; headers?: HeaderPairs } = {},
): Promise<GrpcResponse> {
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), {
    'grpc.use_local_subchannel_pool': 1,
    'grpc.enable_retries': 0,
  });
  const metadata = new Metadata();
  for (const [name, value] of headers) metadata.add(name, value);
  const same = (bytes: Buffer): Buffer => bytes;
  const options = { deadline: Date.now() + TIMEOUT_MS };
  return new Promise((resolve) => {
    let echo: Echo | undefined;
    const call = client.makeUnaryRequest(
      path,
      same,
      same,
      Buffer.alloc(0),
      metadata,
      options,
      (error) => {
        client.close();
        const { code, details, metadata: trailers } = error ?? OK;
        resolve({ code, message: details, metadata: trailers, echo });
      },
    );
    call.on('metadata', (received) => {
      const seen = received.get('echo')[0];
      if (typeof seen === 'string') echo = JSON.parse(seen);
    });
  });
}

const OK = { code: 0, details: '', metadata: new Metadata() };
