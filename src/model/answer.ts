/** A header to set. Names are lower case, values printable ASCII. */
export interface HeaderLine {
  readonly name: string;
  readonly value: string;
}

/** Headers that are the same for every request of a principal; their encoding is kept once it has been made. */
export interface HeaderSet {
  readonly lines: readonly HeaderLine[];
  encoded: Uint8Array | undefined;
}

/** Dynamic metadata under `envoy.filters.http.ext_authz`: flat fields. */
export type MetadataField = readonly [name: string, value: string];

/** What Envoy is told; the codec turns it into a CheckResponse. Which fields Envoy obeys is told in docs of the codec. */
export type Answer = OkAnswer | DeniedAnswer;

export interface OkAnswer {
  readonly kind: 'ok';
  /** Set on the request to the upstream, over whatever the client sent. */
  readonly principalHeaders: HeaderSet;
  readonly requestHeaders: readonly HeaderLine[];
  readonly removeRequestHeaders: readonly string[];
  readonly removeQueryParameters: readonly string[];
  /** Set on the response to the client. */
  readonly responseHeaders: readonly HeaderLine[];
  readonly metadata: readonly MetadataField[];
}

export interface DeniedAnswer {
  readonly kind: 'denied';
  /** `google.rpc.Status.code`; never 0, which Envoy would read as an allow. */
  readonly code: number;
  readonly httpStatus: number;
  readonly headers: readonly HeaderLine[];
  readonly body: string;
  readonly metadata: readonly MetadataField[];
  /** `error_response` (Envoy ≥ 1.37) instead of `denied_response`. */
  readonly asError: boolean;
}
