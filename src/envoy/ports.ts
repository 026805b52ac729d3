/**
 * The seam between a transport and the decision: the bytes of an envoy.service.auth.v3.CheckRequest go in, the bytes
 * of a CheckResponse come out. A hit in memory is answered synchronously; only a missing fact gives a promise.
 * The handler never throws and never rejects: every fault is already a denial in bytes.
 */
export type CheckHandler = (
  request: Uint8Array,
  call: CheckCall,
) => CheckReply | Promise<CheckReply>;

/** What the transport knows of a call and the handler may use. */
export interface CheckCall {
  /** When the caller stops waiting, on the monotonic clock in milliseconds; Infinity when it named no deadline. */
  readonly deadlineMonoMs: number;
}

/**
 * The bytes of a CheckResponse, or `grpc_unavailable`: end the call with gRPC status 14 and no message. The latter is
 * given only for an outage of the store, and only where the policy asks for it (`outage: grpc_error`).
 */
export type CheckReply = Uint8Array | 'grpc_unavailable';
