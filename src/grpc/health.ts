import {
  type Server as GrpcJsServer,
  type handleServerStreamingCall,
  type handleUnaryCall,
  type ServerWritableStream,
  type ServiceDefinition,
  status,
} from '@grpc/grpc-js';
import {
  decodeHealthRequest,
  encodeHealthResponse,
  SERVING_STATUS,
  type ServingStatus,
} from './health-codec.ts';
import { bytesIn, bytesOut } from './raw-bytes.ts';

/** grpc.health.v1.Health for the whole server ('') and the one service it offers; both have the same status. */
export interface Health {
  setServing(serving: boolean): void;
  /** NOT_SERVING, and the end of every Watch, now and later: an open call would hold up the drain. */
  drain(): void;
}

const raw = {
  requestSerialize: bytesOut,
  requestDeserialize: bytesIn,
  responseSerialize: bytesOut,
  responseDeserialize: bytesIn,
};

const HEALTH_SERVICE: ServiceDefinition = {
  check: {
    path: '/grpc.health.v1.Health/Check',
    requestStream: false,
    responseStream: false,
    ...raw,
  },
  watch: {
    path: '/grpc.health.v1.Health/Watch',
    requestStream: false,
    responseStream: true,
    ...raw,
  },
};

const MALFORMED = { code: status.INVALID_ARGUMENT, details: 'not a HealthCheckRequest' };
const UNKNOWN_SERVICE = { code: status.NOT_FOUND, details: 'unknown service' };
const TOO_MANY_WATCHERS = { code: status.RESOURCE_EXHAUSTED, details: 'too many watchers' };
const SHUTTING_DOWN = { code: status.UNAVAILABLE, details: 'the server is shutting down' };

type WatchStream = ServerWritableStream<Buffer, Buffer>;

/** Adds the health service to `grpc`; it says NOT_SERVING until told otherwise. */
export function addHealthService(
  grpc: GrpcJsServer,
  options: { readonly serviceName: string; readonly watchersMax: number },
): Health {
  const known = new Set(['', options.serviceName]);
  const watchers = new Set<WatchStream>();
  let current: ServingStatus = SERVING_STATUS.notServing;
  let draining = false;

  const check: handleUnaryCall<Buffer, Buffer> = (call, respond) => {
    const service = decodeHealthRequest(call.request);
    if (service === undefined) respond(MALFORMED);
    else if (known.has(service)) respond(null, encodeHealthResponse(current));
    else respond(UNKNOWN_SERVICE);
  };

  const watch: handleServerStreamingCall<Buffer, Buffer> = (stream) => {
    const service = decodeHealthRequest(stream.request);
    if (service === undefined) stream.emit('error', MALFORMED);
    else if (draining) stream.emit('error', SHUTTING_DOWN);
    else if (watchers.size >= options.watchersMax) stream.emit('error', TOO_MANY_WATCHERS);
    else {
      watchers.add(stream);
      const forget = () => watchers.delete(stream);
      stream.on('cancelled', forget).on('close', forget);
      if (known.has(service)) follow(stream, () => current);
      // The standard wants the call to stay open: the service might appear.
      else stream.write(encodeHealthResponse(SERVING_STATUS.serviceUnknown));
    }
  };

  grpc.addService(HEALTH_SERVICE, { check, watch });

  const change = (next: ServingStatus): void => {
    if (next === current) return;
    current = next;
    for (const stream of watchers) stream.emit(STATUS_CHANGED);
  };
  return {
    setServing(serving) {
      change(serving ? SERVING_STATUS.serving : SERVING_STATUS.notServing);
    },
    drain() {
      draining = true;
      change(SERVING_STATUS.notServing);
      for (const stream of watchers) stream.emit('error', SHUTTING_DOWN);
      watchers.clear();
    },
  };
}

const STATUS_CHANGED = Symbol('status changed');

/** Sends the status now and at each change; a watcher that does not read gets the latest one when it does, and no queue. */
function follow(stream: WatchStream, latest: () => ServingStatus): void {
  let sent: ServingStatus | undefined;
  const send = (): void => {
    if (stream.writableNeedDrain || sent === latest()) return;
    sent = latest();
    stream.write(encodeHealthResponse(sent));
  };
  stream.on(STATUS_CHANGED, send).on('drain', send);
  send();
}
