import {
  type Deadline,
  type Server as GrpcJsServer,
  type handleUnaryCall,
  type ServiceDefinition,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js';
import type { CheckHandler, CheckReply } from '../envoy/ports.ts';
import type { Clock, OnGrpcServerEvent } from './ports.ts';
import { bytesIn, bytesOut } from './raw-bytes.ts';

export const AUTHORIZATION_SERVICE_NAME = 'envoy.service.auth.v3.Authorization';

const AUTHORIZATION_SERVICE: ServiceDefinition = {
  check: {
    path: `/${AUTHORIZATION_SERVICE_NAME}/Check`,
    requestStream: false,
    responseStream: false,
    requestSerialize: bytesOut,
    requestDeserialize: bytesIn,
    responseSerialize: bytesOut,
    responseDeserialize: bytesIn,
  },
};

const UNAVAILABLE = { code: status.UNAVAILABLE, details: 'the store is unavailable' };
const TOO_LATE = { code: status.DEADLINE_EXCEEDED, details: 'the deadline has passed' };

export interface CheckMethodOptions {
  readonly handler: CheckHandler;
  /** A CheckResponse that denies, for when the handler fails: its bytes are sent as they are. */
  readonly fallback: Uint8Array;
  readonly replyBytesMax: number;
  readonly clock: Clock;
  readonly onEvent: OnGrpcServerEvent;
}

/**
 * Adds envoy.service.auth.v3.Authorization/Check to `grpc`: bytes to the handler, bytes back.
 *
 * Whatever the handler does, the caller gets an explicit answer. An exception must not become a gRPC error, which
 * `failure_mode_allow` would turn into an allow, and an empty message must never leave, since Envoy reads
 * a CheckResponse of zero bytes as an allow.
 */
export function addCheckMethod(grpc: GrpcJsServer, options: CheckMethodOptions): void {
  const { handler, fallback, replyBytesMax, clock, onEvent } = options;
  if (fallback.length === 0) {
    throw new RangeError('the fallback denial is empty, and Envoy would read it as an allow');
  }

  const failed = (error: unknown): Uint8Array => {
    onEvent({ kind: 'handler_failed', error });
    return fallback;
  };
  const reply = (respond: sendUnaryData<Uint8Array>, result: CheckReply): void => {
    if (result === 'grpc_unavailable') {
      respond(UNAVAILABLE);
    } else if (result.length > 0 && result.length <= replyBytesMax) {
      respond(null, result);
    } else {
      onEvent({ kind: 'reply_unusable', bytes: result.length });
      respond(null, fallback);
    }
  };

  const check: handleUnaryCall<Buffer, Uint8Array> = (call, respond) => {
    const now = clock();
    const deadlineMonoMs = monotonicDeadline(call.getDeadline(), now);
    if (deadlineMonoMs <= now.monoMs) {
      // The caller has given up: what it asked must not cost a lookup or be charged.
      respond(TOO_LATE);
      return;
    }
    let result: CheckReply | Promise<CheckReply>;
    try {
      result = handler(call.request, { deadlineMonoMs });
    } catch (error) {
      result = failed(error);
    }
    // A hit in memory is answered in this turn of the event loop, without a promise.
    if (result instanceof Promise) void result.catch(failed).then((late) => reply(respond, late));
    else reply(respond, result);
  };
  grpc.addService(AUTHORIZATION_SERVICE, { check });
}

/** grpc-js gives the deadline on the wall clock, counted from the arrival of the call's headers. */
function monotonicDeadline(deadline: Deadline, now: ReturnType<Clock>): number {
  const deadlineWallMs = deadline instanceof Date ? deadline.getTime() : deadline;
  return now.monoMs + (deadlineWallMs - now.wallMs);
}
