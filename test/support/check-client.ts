import { fileURLToPath } from 'node:url';
import {
  type ChannelCredentials,
  type ChannelOptions,
  Client,
  credentials,
  type MethodDefinition,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import { type AnyDefinition, loadSync } from '@grpc/proto-loader';

const CHECK_PATH = '/envoy.service.auth.v3.Authorization/Check';
const HEALTH_PROTO = fileURLToPath(
  new URL('../../proto/grpc/health/v1/health.proto', import.meta.url),
);
const DEADLINE_MS_DEFAULT = 10_000;

export type CheckAddress =
  | { readonly host: string; readonly port: number }
  | { readonly path: string };

export type CheckOutcome = { readonly kind: 'reply'; readonly bytes: Uint8Array } | GrpcFailure;

export interface GrpcFailure {
  readonly kind: 'failure';
  /** `google.rpc.Code`. */
  readonly code: number;
  readonly details: string;
}

export type HealthOutcome = { readonly kind: 'status'; readonly status: string } | GrpcFailure;

export interface HealthWatch {
  /** Every status so far, oldest first, such as `SERVING`. */
  readonly statuses: readonly string[];
  /** Resolves when the statuses hold `status`; rejects when the call ends before. */
  reached(status: string): Promise<void>;
  /** How the server ended the call. */
  readonly ended: Promise<GrpcFailure>;
  cancel(): void;
}

/** A gRPC client of one address, on a connection of its own: raw CheckRequest bytes, and the health service by proto-loader. */
export interface CheckClient {
  check(
    request: Uint8Array,
    options?: { readonly deadlineMs?: number; readonly path?: string },
  ): Promise<CheckOutcome>;
  health(service?: string): Promise<HealthOutcome>;
  watchHealth(service?: string): HealthWatch;
  close(): void;
}

export interface ClientTls {
  /** PEM of the CA that signed the server's certificate. */
  readonly ca: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
}

export interface CheckClientOptions {
  readonly tls?: ClientTls;
  /** A gRPC target instead of the address, such as `ipv4:127.0.0.1:1,127.0.0.1:2`. */
  readonly target?: string;
  readonly channel?: ChannelOptions;
}

export function createCheckClient(
  address: CheckAddress,
  options: CheckClientOptions = {},
): CheckClient {
  const client = new Client(options.target ?? targetOf(address), channelCredentials(options.tls), {
    'grpc.use_local_subchannel_pool': 1,
    // A refusal is what some tests look for: it must not be hidden by a retry.
    'grpc.enable_retries': 0,
    'grpc.max_receive_message_length': -1,
    // What the test certificates are made out to; an IP address cannot be a TLS server name.
    'grpc.ssl_target_name_override': 'localhost',
    ...options.channel,
  });
  return {
    check: (request, { deadlineMs = DEADLINE_MS_DEFAULT, path = CHECK_PATH } = {}) =>
      new Promise((resolve) => {
        client.makeUnaryRequest(
          path,
          (bytes: Uint8Array) => Buffer.from(bytes),
          (bytes: Buffer) => new Uint8Array(bytes),
          request,
          { deadline: Date.now() + deadlineMs },
          (error, bytes) =>
            resolve(error ? failure(error) : { kind: 'reply', bytes: bytes ?? new Uint8Array() }),
        );
      }),
    health: (service = '') =>
      new Promise((resolve) => {
        const method = healthMethod('Check');
        client.makeUnaryRequest(
          method.path,
          method.requestSerialize,
          method.responseDeserialize,
          { service },
          { deadline: Date.now() + DEADLINE_MS_DEFAULT },
          (error, response) =>
            resolve(error ? failure(error) : { kind: 'status', status: statusName(response) }),
        );
      }),
    watchHealth: (service = '') => watchHealth(client, service),
    close: () => client.close(),
  };
}

const targetOf = (address: CheckAddress): string => {
  if ('path' in address) return `unix:${address.path}`;
  const { host, port } = address;
  return host.includes(':') ? `ipv6:[${host}]:${port}` : `ipv4:${host}:${port}`;
};

const channelCredentials = (tls: ClientTls | undefined): ChannelCredentials =>
  tls === undefined
    ? credentials.createInsecure()
    : credentials.createSsl(tls.ca, tls.key ?? null, tls.cert ?? null);

const failure = ({ code, details }: ServiceError): GrpcFailure => ({
  kind: 'failure',
  code,
  details,
});

function watchHealth(client: Client, service: string): HealthWatch {
  const method = healthMethod('Watch');
  const call = client.makeServerStreamRequest(
    method.path,
    method.requestSerialize,
    method.responseDeserialize,
    { service },
  );
  const statuses: string[] = [];
  const waiting = new Map<() => void, string>();
  call.on('data', (response) => {
    statuses.push(statusName(response));
    for (const [resolve, wanted] of waiting) if (statuses.includes(wanted)) resolve();
  });
  const ended = new Promise<GrpcFailure>((resolve) => {
    call.on('error', (error: ServiceError) => resolve(failure(error)));
    call.on('end', () => resolve({ kind: 'failure', code: status.OK, details: '' }));
  });
  return {
    statuses,
    reached: (wanted) =>
      new Promise((resolve, reject) => {
        if (statuses.includes(wanted)) resolve();
        else waiting.set(resolve, wanted);
        void ended.then((end) =>
          reject(new Error(`the watch ended (${end.code}) before ${wanted}`)),
        );
      }),
    ended,
    cancel: () => call.cancel(),
  };
}

type HealthMethod = MethodDefinition<object, object>;

const healthService: AnyDefinition | undefined = loadSync(HEALTH_PROTO, { enums: String })[
  'grpc.health.v1.Health'
];

function healthMethod(name: 'Check' | 'Watch'): HealthMethod {
  // proto-loader types a package as services, messages and enums alike; the name says which this is.
  return (healthService as unknown as Record<'Check' | 'Watch', HealthMethod>)[name];
}

function statusName(response: unknown): string {
  // An enum's zero is left out on the wire, and then by proto-loader too.
  return typeof response === 'object' && response !== null && 'status' in response
    ? String(response.status)
    : 'UNKNOWN';
}
