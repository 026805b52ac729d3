import {
  type Metadata,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServiceDefinition,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js';
import type { CheckEndpoint } from '../../src/app/envoy-config.ts';
import { encodeAnswer } from '../../src/envoy/encode-answer.ts';
import type { DeniedAnswer, HeaderLine, OkAnswer } from '../../src/model/answer.ts';

/** Bytes of a CheckRequest → bytes of a CheckResponse. What it throws ends the call with gRPC UNAVAILABLE. */
export type ProbeHandler = (request: Buffer, metadata: Metadata) => Buffer | Promise<Buffer>;

/** A Check server without latchkey, which answers what a test tells it to. */
export interface CheckProbe {
  /** For `startEnvoy({ check })`. */
  readonly endpoint: CheckEndpoint;
  /** The CheckRequests so far, oldest first; beyond a thousand the oldest go. */
  readonly requests: readonly Buffer[];
  setHandler(handler: ProbeHandler): void;
  /** What grpc.health.v1.Health/Check answers; true at first. */
  setServing(isServing: boolean): void;
  /** Ends every connection. Another probe can then be started in the same place. */
  stop(): void;
}

const REQUESTS_MAX = 1000;

/** @throws Error when the place is taken. */
export async function startCheckProbe(
  handler: ProbeHandler,
  at: { readonly socketPath: string } | { readonly port: number } = { port: 0 },
): Promise<CheckProbe> {
  const requests: Buffer[] = [];
  let current = handler;
  let health: Buffer = SERVING;
  const server = new Server();
  server.addService(SERVICES, {
    check: answerWith((request, metadata) => {
      requests.push(request);
      if (requests.length > REQUESTS_MAX) requests.shift();
      return current(request, metadata);
    }),
    health: answerWith(() => health),
  });
  const place = 'port' in at ? `127.0.0.1:${at.port}` : `unix:${at.socketPath}`;
  const port = await bind(server, place);
  return {
    endpoint: 'port' in at ? { address: '127.0.0.1', port } : at,
    requests,
    setHandler: (next) => {
      current = next;
    },
    setServing: (isServing) => {
      health = isServing ? SERVING : NOT_SERVING;
    },
    stop: () => server.forceShutdown(),
  };
}

export const line = (name: string, value: string): HeaderLine => ({ name, value });

type OkChanges = Partial<Omit<OkAnswer, 'kind' | 'standing'>> & {
  readonly principalHeaders?: readonly HeaderLine[];
};

/** Allows as latchkey does, in its own bytes; what a test needs otherwise it names. */
export function allowing(changes: OkChanges = {}): ProbeHandler {
  const { principalHeaders = [line('x-principal-id', 'usr_1')], ...rest } = changes;
  const bytes = encodeAnswer({
    kind: 'ok',
    requestHeaders: [],
    removeRequestHeaders: ['authorization', 'x-api-key', 'x-principal-plan'],
    removeQueryParameters: ['api_key'],
    responseHeaders: [line('x-ratelimit-remaining', '41')],
    metadata: [
      ['decision_id', 'dec_1'],
      ['reason', 'allowed'],
      ['credential', 'key_1'],
    ],
    ...rest,
    standing: {
      requestHeaders: principalHeaders,
      removeRequestHeaders: [],
      metadata: [],
      encoded: undefined,
    },
  });
  return () => Buffer.from(bytes);
}

/** Refuses as latchkey does: 401 with two challenges, unless told otherwise. */
export function denying(
  changes: Partial<Omit<DeniedAnswer, 'kind' | 'headers'>> & {
    /** Beside the challenges and the content type. */
    readonly headers?: readonly HeaderLine[];
  } = {},
): ProbeHandler {
  const { headers = [], ...rest } = changes;
  const bytes = encodeAnswer({
    kind: 'denied',
    code: 16,
    httpStatus: 401,
    body: '{"code":"mine"}',
    metadata: [
      ['decision_id', 'dec_2'],
      ['reason', 'key_revoked'],
    ],
    asError: false,
    ...rest,
    headers: [
      line('content-type', 'application/problem+json'),
      line('www-authenticate', 'Bearer realm="a"'),
      line('www-authenticate', 'Basic realm="a"'),
      ...headers,
    ],
  });
  return () => Buffer.from(bytes);
}

/** HealthCheckResponse (grpc/health/v1): field 1 is the status. */
const SERVING = Buffer.from([0x08, 1]);
const NOT_SERVING = Buffer.from([0x08, 2]);

const SERVICES: ServiceDefinition = {
  check: raw('/envoy.service.auth.v3.Authorization/Check'),
  health: raw('/grpc.health.v1.Health/Check'),
};

/** Bytes in, bytes out. */
function raw(path: string): ServiceDefinition[string] {
  const same = (bytes: Buffer): Buffer => bytes;
  return {
    path,
    requestStream: false,
    responseStream: false,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  };
}

function answerWith(handler: ProbeHandler) {
  return (call: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>): void => {
    new Promise<Buffer>((resolve) => resolve(handler(call.request, call.metadata))).then(
      (reply) => done(null, reply),
      (error: unknown) => done({ code: status.UNAVAILABLE, details: String(error) }),
    );
  };
}

function bind(server: Server, place: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(place, ServerCredentials.createInsecure(), (error, port) => {
      if (error === null) resolve(port);
      else reject(error);
    });
  });
}
