/** What the gRPC server needs from its surroundings. model/clock.ts has the same shape of clock. */
export type Clock = () => {
  /** Milliseconds since the Unix epoch; a caller's deadline is a statement on this clock. */
  readonly wallMs: number;
  /** Milliseconds on a clock that never goes back. */
  readonly monoMs: number;
};

/** Runs `run` once after `delayMs`, unless the returned function is called before. */
export type Schedule = (run: () => void, delayMs: number) => () => void;

/** A number in [0, 1), as Math.random gives it. */
export type Random = () => number;

/**
 * What the server tells of itself. Nothing in an event came from a request; `error` is for a log that
 * serialises errors from an allow-list, and never reaches a client.
 */
export type GrpcServerEvent =
  /** The handler broke its promise not to throw; the caller got the fallback denial. */
  | { readonly kind: 'handler_failed'; readonly error: unknown }
  /** The handler's reply cannot be sent as it is; the caller got the fallback denial. */
  | { readonly kind: 'reply_unusable'; readonly bytes: number }
  /** The certificate in use, at start and after each change of its files. */
  | { readonly kind: 'certificate_loaded'; readonly notAfterMs: number }
  /** The files changed into something unusable; the certificate before them stays in use. */
  | { readonly kind: 'certificate_rejected'; readonly message: string }
  /** A client's TLS handshake failed; `code` is Node's or OpenSSL's. */
  | { readonly kind: 'handshake_failed'; readonly code: string }
  /** `connectionsMax` are open; one more was closed at once. */
  | { readonly kind: 'connection_refused'; readonly connectionsMax: number }
  /** A dead process had left this socket file behind. */
  | { readonly kind: 'stale_socket_replaced'; readonly path: string }
  /** The listener reported an error after it had been bound. */
  | { readonly kind: 'listener_failed'; readonly error: unknown };

export type OnGrpcServerEvent = (event: GrpcServerEvent) => void;
