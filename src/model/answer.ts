/** A header to set. Names are lower case, values printable ASCII. */
export interface HeaderLine {
  readonly name: string;
  readonly value: string;
}

/** Dynamic metadata under `envoy.filters.http.ext_authz`: flat fields. */
export type MetadataField = readonly [name: string, value: string];

/** What Envoy is told; the codec turns it into a CheckResponse. Which fields Envoy obeys is told in docs of the codec. */
export type Answer = OkAnswer | DeniedAnswer;

/** The part of an allow that many requests share. Its encoding is made on first use and kept beside it. */
export interface StandingAnswer {
  readonly requestHeaders: readonly HeaderLine[];
  readonly removeRequestHeaders: readonly string[];
  readonly metadata: readonly MetadataField[];
  encoded: EncodedStanding | undefined;
}

/** Fields of an OkHttpResponse, and of the Struct of dynamic metadata. */
export interface EncodedStanding {
  readonly response: Uint8Array;
  readonly metadata: Uint8Array;
}

/** Everything here goes together with what stands in `standing`; no header is in two places. */
export interface OkAnswer {
  readonly kind: 'ok';
  readonly standing: StandingAnswer;
  /** Set on the request to the upstream, over whatever the client sent. */
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
