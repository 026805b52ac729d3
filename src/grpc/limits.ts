import type { ServerOptions } from '@grpc/grpc-js';

/** Every bound of the server. Most of what grpc-js leaves unlimited is limited here, on purpose. */
export interface GrpcLimits {
  /** Open connections, over all clients. */
  readonly connectionsMax: number;
  /** SETTINGS_MAX_CONCURRENT_STREAMS of a connection (RFC 9113 §6.5.2). */
  readonly streamsPerConnectionMax: number;
  /** Bytes of a CheckRequest. A longer one ends with RESOURCE_EXHAUSTED. */
  readonly requestBytesMax: number;
  /** Bytes of a CheckResponse. A longer one is a bug; the fallback denial goes out instead. */
  readonly replyBytesMax: number;
  /** What HTTP/2 may hold in memory for one connection, in megabytes (Node's `maxSessionMemory`). */
  readonly sessionMemoryMbMax: number;
  /** A connection's life until it is asked to leave, ± 10 % of jitter. */
  readonly connectionAgeMs: number;
  /** From then until it is cut, calls or no calls. */
  readonly connectionAgeGraceMs: number;
  /** Between two PINGs of the server on a connection, busy or not. */
  readonly keepaliveTimeMs: number;
  /** How long a PING may stay unanswered before the connection is cut. */
  readonly keepaliveTimeoutMs: number;
  /** A TLS handshake that takes longer is cut. */
  readonly handshakeTimeoutMs: number;
  /** Open calls of grpc.health.v1.Health/Watch. */
  readonly healthWatchersMax: number;
}

const KIB = 1024;
const MIB = 1024 * KIB;
const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;

export const DEFAULT_GRPC_LIMITS: GrpcLimits = {
  // An Envoy opens one connection per worker thread and one for health checks; this serves a dozen large Envoys over
  // TCP and stays below the usual 1024 or 4096 file descriptors with room for Postgres and the admin port.
  connectionsMax: 512,
  // Envoy's own default is 1024 per connection; with fewer it opens a second one. grpc-js alone would set no bound.
  streamsPerConnectionMax: 1000,
  // A CheckRequest holds the path twice and every header once: at most about twice Envoy's header limit (60 KiB by
  // default). Where Envoy's max_request_headers_kb goes above 500, or bodies are sent to the check, raise this too.
  requestBytesMax: MIB,
  // Our largest reply is a denial with a body; Envoy itself takes no more than 60 KiB of headers.
  replyBytesMax: MIB,
  // Measured: 1,000 calls waiting for an answer, each with 8 KiB of headers and a message of 60 KiB, fit into 10 (Node's
  // own default) and not into 1. grpc-js alone would switch the guard off.
  sessionMemoryMbMax: 16,
  // Bounds for how long a client certificate counts after its CA was replaced, and what an idle client may hold. Longer
  // than the half hour after which the reference Envoy leaves by itself (`max_connection_duration`), because a client
  // that leaves loses no call, while one that is sent away may have to repeat one (connections.ts).
  connectionAgeMs: 60 * MINUTE_MS,
  // Far above any Check's deadline.
  connectionAgeGraceMs: 30 * SECOND_MS,
  // Finds a peer that vanished without a FIN (a node that lost power) within a minute and a half, at a cost of one frame.
  keepaliveTimeMs: MINUTE_MS,
  // A live Envoy answers a PING in its event loop, even under load in far less.
  keepaliveTimeoutMs: 20 * SECOND_MS,
  // Node would wait two minutes.
  handshakeTimeoutMs: 10 * SECOND_MS,
  // One per worker of a client that watches; Envoy asks by Check instead.
  healthWatchersMax: 64,
};

/**
 * The same limits in the words of grpc-js.
 *
 * What is left unset, and why: `grpc.max_connection_age_ms`, because grpc-js sends its two GOAWAYs back to back and
 * Node drops calls that cross them (connections.ts ages connections without that loss); `grpc.max_connection_idle_ms`,
 * because it has the same race and the age bounds idle connections too; `grpc.keepalive_permit_without_calls` and
 * compression, which the server side of grpc-js does not have: it sends PINGs with or without calls, answers any, and
 * never compresses, which suits Envoy, since Envoy refuses compressed replies. Resets, bad frames and the size
 * of header blocks stay within Node's own limits (`streamResetBurst`, `maxSessionInvalidFrames`, `maxHeaderListPairs`).
 */
export const channelOptions = (limits: GrpcLimits): ServerOptions => ({
  'grpc-node.max_session_memory': limits.sessionMemoryMbMax,
  'grpc.max_concurrent_streams': limits.streamsPerConnectionMax,
  'grpc.max_receive_message_length': limits.requestBytesMax,
  'grpc.max_send_message_length': limits.replyBytesMax,
  'grpc.keepalive_time_ms': limits.keepaliveTimeMs,
  'grpc.keepalive_timeout_ms': limits.keepaliveTimeoutMs,
  // Channelz would count each call and keep a trace of each connection, for a service that is not offered here.
  'grpc.enable_channelz': 0,
  // Would append a load report to the trailers of every call.
  'grpc.server_call_metric_recording': 0,
});

/** setTimeout takes no longer delay: beyond it, it fires at once. No limit of size comes near. */
const LIMIT_MAX = 2 ** 31 - 1;

/** @throws RangeError naming the limit that is not above zero ("at once", "none") or too large to be kept. */
export function completeLimits(given: Partial<GrpcLimits> | undefined): GrpcLimits {
  const limits = { ...DEFAULT_GRPC_LIMITS, ...given };
  for (const [name, value] of Object.entries(limits)) {
    if (!(value > 0 && value <= LIMIT_MAX)) {
      throw new RangeError(`gRPC limit ${name} must be above 0 and at most ${LIMIT_MAX}: ${value}`);
    }
  }
  return limits;
}
