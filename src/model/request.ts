/**
 * What a CheckRequest says, as far as the policy reads it. Every text is a byte string: one character per byte (Latin-1),
 * so that bytes which are no UTF-8 arrive unchanged and are judged by the step that reads them.
 */
export interface CheckInput {
  readonly method: string;
  /** As Envoy forwards it: with the query, not decoded. */
  readonly path: string;
  readonly host: string;
  readonly scheme: string;
  /** One slot per name in `CompiledPolicy.wantedHeaders`; several lines of one name are kept apart. */
  readonly headers: readonly HeaderSlot[];
  /** The TCP peer of Envoy's downstream connection; `undefined` for a pipe. */
  readonly peerAddress: string | undefined;
  /** `context_extensions.rule` of the route's Envoy configuration. */
  readonly ruleName: string | undefined;
  /** Envoy's own name of this request (stream id and start time); the same when Envoy repeats a Check. */
  readonly requestKey: string | undefined;
}

export type HeaderSlot = undefined | string | readonly string[];

/** Why bytes are no CheckRequest that can be decided on. */
export type MalformedCause =
  | 'truncated'
  | 'oversized'
  | 'wrong_wire_type'
  | 'nested_too_deep'
  | 'too_many_fields'
  | 'attributes_missing';

export type DecodedRequest =
  | { readonly kind: 'request'; readonly input: CheckInput }
  | { readonly kind: 'malformed'; readonly cause: MalformedCause };

/**
 * The slots that every policy has; names of the policy's own (API key headers) follow from `SLOT_FIRST_OWN`.
 * A fixed slot that a policy does not need is `''` in `wantedHeaders` and is then not read.
 */
export const SLOT = {
  authorization: 0,
  cookie: 1,
  externalAddress: 2,
  forwardedFor: 3,
  contentType: 4,
  secFetchSite: 5,
  origin: 6,
  upgrade: 7,
} as const;

export const SLOT_NAMES = [
  'authorization',
  'cookie',
  'x-envoy-external-address',
  'x-forwarded-for',
  'content-type',
  'sec-fetch-site',
  'origin',
  'upgrade',
] as const;

export const SLOT_FIRST_OWN: number = SLOT_NAMES.length;
