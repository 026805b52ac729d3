/**
 * Every way to be refused, one row each: the only place where a status number is typed.
 *
 * Unknown, revoked, disabled, expired and mistyped keys share `code`, `title` and `text`, so a stranger cannot tell
 * them apart; `reason` (log, metric label, dynamic metadata) does. Status codes follow RFC 9110 and RFC 6585, challenge
 * errors RFC 6750 §3.1, gRPC codes Envoy's mapping except where a client could not act on it (429 → 8).
 */
export interface DenialRow {
  readonly httpStatus: number;
  /** `google.rpc.Code`: the CheckResponse's status and the `grpc-status` of a gRPC client's answer. */
  readonly grpcCode: number;
  /** `error` of the challenge; `null`: a challenge without one; `undefined`: no challenge at all. */
  readonly challengeError:
    | 'invalid_request'
    | 'invalid_token'
    | 'insufficient_scope'
    | null
    | undefined;
  /** What the client may know: stable, for programs. */
  readonly code: string;
  readonly title: string;
  readonly text: string;
}

const INVALID_ARGUMENT = 3;
const NOT_FOUND = 5;
const PERMISSION_DENIED = 7;
const RESOURCE_EXHAUSTED = 8;
const UNIMPLEMENTED = 12;
const UNAVAILABLE = 14;
const UNAUTHENTICATED = 16;

const INVALID_CREDENTIAL = {
  httpStatus: 401,
  grpcCode: UNAUTHENTICATED,
  challengeError: 'invalid_token',
  code: 'invalid_credential',
  title: 'Invalid credential',
  text: 'The credential is not valid.',
} as const;

const MALFORMED_CREDENTIAL = {
  httpStatus: 401,
  grpcCode: UNAUTHENTICATED,
  challengeError: null,
  code: 'credential_required',
  title: 'Authentication required',
  text: 'The request carries no credential that can be read. See the WWW-Authenticate header for the accepted schemes.',
} as const;

const BAD_REQUEST = {
  httpStatus: 400,
  grpcCode: INVALID_ARGUMENT,
  challengeError: undefined,
} as const;
const FORBIDDEN = {
  httpStatus: 403,
  grpcCode: PERMISSION_DENIED,
  challengeError: undefined,
} as const;
const OUTAGE = { httpStatus: 503, grpcCode: UNAVAILABLE, challengeError: undefined } as const;

const BUSY = {
  ...OUTAGE,
  code: 'temporarily_unavailable',
  title: 'Temporarily unavailable',
  text: 'The credential could not be checked right now. Try again after the time in Retry-After.',
} as const;

const ROUTE_NOT_FOUND = {
  httpStatus: 404,
  grpcCode: NOT_FOUND,
  challengeError: undefined,
  code: 'not_found',
  title: 'Not found',
  text: 'There is nothing at this address.',
} as const;

const BAD_CHECK_REQUEST = {
  ...BAD_REQUEST,
  code: 'bad_request',
  title: 'Bad request',
  text: 'The request could not be read.',
} as const;

export const DENIALS = {
  check_request_malformed: BAD_CHECK_REQUEST,
  method_malformed: BAD_CHECK_REQUEST,
  host_malformed: { ...BAD_CHECK_REQUEST, text: 'The Host of the request is not valid.' },
  path_malformed: {
    ...BAD_CHECK_REQUEST,
    code: 'bad_path',
    text: 'The path holds something that is not allowed here: an empty or dot segment, a semicolon, a backslash, a control character, an encoded separator or a broken escape.',
  },
  route_not_found: ROUTE_NOT_FOUND,
  rule_unknown: ROUTE_NOT_FOUND,
  method_not_allowed: {
    httpStatus: 405,
    grpcCode: UNIMPLEMENTED,
    challengeError: undefined,
    code: 'method_not_allowed',
    title: 'Method not allowed',
    text: 'This method is not allowed here. See the Allow header.',
  },
  credential_missing: {
    ...MALFORMED_CREDENTIAL,
    text: 'This request needs a credential. See the WWW-Authenticate header for the accepted schemes.',
  },
  credential_malformed: MALFORMED_CREDENTIAL,
  credential_not_accepted: {
    ...MALFORMED_CREDENTIAL,
    text: 'This kind of credential is not accepted here. See the WWW-Authenticate header for the accepted schemes.',
  },
  credential_ambiguous: {
    ...BAD_REQUEST,
    challengeError: 'invalid_request',
    code: 'ambiguous_credential',
    title: 'Ambiguous credential',
    text: 'Send exactly one credential, once and in one place.',
  },
  credential_escaped: {
    ...BAD_REQUEST,
    challengeError: 'invalid_request',
    code: 'escaped_credential_name',
    title: 'Bad request',
    text: 'Write the name of the credential parameter without percent escapes.',
  },
  key_malformed: INVALID_CREDENTIAL,
  key_checksum: INVALID_CREDENTIAL,
  key_foreign: INVALID_CREDENTIAL,
  key_unknown: INVALID_CREDENTIAL,
  key_secret_expired: INVALID_CREDENTIAL,
  key_expired: INVALID_CREDENTIAL,
  key_disabled: INVALID_CREDENTIAL,
  key_revoked: INVALID_CREDENTIAL,
  owner_disabled: INVALID_CREDENTIAL,
  organization_disabled: INVALID_CREDENTIAL,
  environment_not_accepted: {
    ...FORBIDDEN,
    code: 'environment_not_accepted',
    title: 'Wrong environment',
    text: 'A key of this environment is not accepted here.',
  },
  address_not_allowed: {
    ...FORBIDDEN,
    code: 'address_not_allowed',
    title: 'Address not allowed',
    text: 'This key may not be used from this address.',
  },
  organization_mismatch: {
    ...FORBIDDEN,
    code: 'forbidden',
    title: 'Forbidden',
    text: 'This key belongs to another organization.',
  },
  scope_missing: {
    ...FORBIDDEN,
    challengeError: 'insufficient_scope',
    code: 'insufficient_scope',
    title: 'Insufficient scope',
    text: 'The credential lacks a scope that this request needs.',
  },
  cross_site_request: {
    ...FORBIDDEN,
    code: 'cross_site_request',
    title: 'Cross-site request',
    text: 'A request from another site may not use the cookie. Send the credential in a header.',
  },
  limit_exceeded: {
    httpStatus: 429,
    grpcCode: RESOURCE_EXHAUSTED,
    challengeError: undefined,
    code: 'rate_limit_exceeded',
    title: 'Rate limit exceeded',
    text: 'Too many requests. Try again after the time in Retry-After.',
  },
  too_many_failures: {
    httpStatus: 429,
    grpcCode: RESOURCE_EXHAUSTED,
    challengeError: undefined,
    code: 'too_many_failures',
    title: 'Too many failed attempts',
    text: 'Too many requests with invalid credentials came from this address. Try again after the time in Retry-After.',
  },
  store_unavailable: BUSY,
  lookups_overloaded: BUSY,
  client_lookups_exceeded: BUSY,
  internal_error: { ...BUSY, text: 'The request could not be checked. Try again later.' },
} as const satisfies Record<string, DenialRow>;

export type DenialReason = keyof typeof DENIALS;

export const DENIAL_REASONS = Object.keys(DENIALS) as readonly DenialReason[];

export const denialRow = (reason: DenialReason): DenialRow => DENIALS[reason];
