import { cookieValues } from '../model/cookies.ts';
import type { NamedCredential } from '../model/credential.ts';
import type { DenialReason } from '../model/denials.ts';
import type { CompiledPolicy } from '../model/policy.ts';
import { decodeForm, parametersNamed } from '../model/query.ts';
import { type CheckInput, type HeaderSlot, SLOT } from '../model/request.ts';
import type { RouteRule } from '../model/route-rule.ts';

/** What the request presents: one credential, none, or something that is refused without looking further. */
export type Extraction =
  | { readonly kind: 'absent' }
  | { readonly kind: 'present'; readonly credential: NamedCredential; readonly text: string }
  | {
      readonly kind: 'refused';
      readonly reason: Extract<
        DenialReason,
        | 'credential_ambiguous'
        | 'credential_malformed'
        | 'credential_not_accepted'
        | 'credential_escaped'
        | 'cross_site_request'
      >;
      /** It came by cookie, which a browser sends unasked: where authentication is optional, it counts as none. */
      readonly byCookie: boolean;
    };

interface Source {
  readonly input: CheckInput;
  readonly query: string | undefined;
}

/** `Authorization: Basic` with the longest key is far below; what is longer is not decoded. */
const AUTHORIZATION_CHARS_MAX = 4096;
/** One of our schemes as a further member of a list (Envoy joins repeated lines by a comma). */
const LISTED_SCHEME = /,\s*(?:bearer|basic)(?:[\s,]|$)/i;
const ABSENT: Extraction = { kind: 'absent' };

const refused = (
  reason: Extract<Extraction, { kind: 'refused' }>['reason'],
  byCookie = false,
): Extraction => ({ kind: 'refused', reason, byCookie });

/**
 * Exactly one credential (RFC 6750 §2: a client must not use more than one method). All places that the policy names
 * are looked at, not only those the rule accepts, so a second credential never passes unseen. A cookie counts only where
 * no other credential is present: browsers send it unasked.
 */
export function extract(source: Source, rule: RouteRule, policy: CompiledPolicy): Extraction {
  let found: Extraction = ABSENT;
  let authorizationSeen = false;
  for (const credential of policy.credentials) {
    if (credential.place === 'cookie') continue;
    if (credential.place === 'bearer' || credential.place === 'basic') {
      // Both are the one Authorization header: it is read once.
      if (authorizationSeen) continue;
      authorizationSeen = true;
    }
    const next = presented(credential, source, { rule, policy });
    if (next.kind === 'absent') continue;
    if (found.kind !== 'absent') return refused('credential_ambiguous');
    found = next;
  }
  return found.kind === 'absent' ? fromCookie(source.input, rule, policy) : found;
}

interface Terms {
  readonly rule: RouteRule;
  readonly policy: CompiledPolicy;
}

function presented(credential: NamedCredential, source: Source, terms: Terms): Extraction {
  const { rule } = terms;
  switch (credential.place) {
    case 'bearer':
    case 'basic':
      return fromAuthorization(source.input.headers[SLOT.authorization], terms);
    case 'header':
      return accepted(fromHeader(source.input.headers[credential.slot], credential), rule);
    case 'query':
      return accepted(fromQuery(source.query, credential.parameter, credential), rule);
    case 'cookie':
      return ABSENT;
  }
}

/** A credential in a place that this route does not take is a wrong credential, not a missing one. */
function accepted(extraction: Extraction, rule: RouteRule): Extraction {
  if (extraction.kind !== 'present' || rule.accept.includes(extraction.credential)) {
    return extraction;
  }
  return refused('credential_not_accepted', extraction.credential.place === 'cookie');
}

/** RFC 9110 §11.6.2: scheme, then one or more spaces, then the credential. Envoy joins repeated lines by a comma. */
function fromAuthorization(slot: HeaderSlot, { rule, policy }: Terms): Extraction {
  if (slot === undefined) return ABSENT;
  if (typeof slot !== 'string') return refused('credential_ambiguous');
  if (slot.length > AUTHORIZATION_CHARS_MAX) return refused('credential_malformed');
  const space = slot.indexOf(' ');
  const scheme = (space < 0 ? slot : slot.slice(0, space)).toLowerCase();
  const text = space < 0 ? '' : slot.slice(space + 1).replace(/^ +/, '');
  if (scheme !== 'bearer' && scheme !== 'basic') {
    // A list that has one of ours in it, whatever its first member is; `Digest a=1, b=2` is one credential of its own.
    const isList = LISTED_SCHEME.test(slot);
    return refused(isList ? 'credential_ambiguous' : 'credential_malformed');
  }
  if (text.includes(',')) return refused('credential_ambiguous');
  const isHere = (candidate: NamedCredential): boolean => candidate.place === scheme;
  const credential = rule.accept.find(isHere);
  if (credential === undefined) {
    return refused(
      policy.credentials.some(isHere) ? 'credential_not_accepted' : 'credential_malformed',
    );
  }
  const key = scheme === 'basic' ? keyOfBasic(text) : text;
  if (key === undefined || key === '') return refused('credential_malformed');
  return { kind: 'present', credential, text: key };
}

/**
 * RFC 7617 with the key as user-id and an empty password. Base64 strictly: standard alphabet, padded, canonical (it
 * encodes back to itself), so that no two texts stand for one credential.
 */
function keyOfBasic(encoded: string): string | undefined {
  if (encoded.length % 4 !== 0 || !/^[A-Za-z0-9+/]+={0,2}$/.test(encoded)) return undefined;
  const decoded = atob(encoded);
  if (btoa(decoded) !== encoded) return undefined;
  const colon = decoded.indexOf(':');
  // A password here is a credential of another kind, which no policy can accept yet.
  if (colon <= 0 || colon !== decoded.length - 1) return undefined;
  return decoded.slice(0, colon);
}

function fromHeader(slot: HeaderSlot, credential: NamedCredential): Extraction {
  if (slot === undefined) return ABSENT;
  if (typeof slot !== 'string' || slot.includes(',')) return refused('credential_ambiguous');
  if (slot === '') return refused('credential_malformed');
  return { kind: 'present', credential, text: slot };
}

/** Envoy can remove the parameter by its raw spelling only, so another spelling is refused rather than passed on. */
function fromQuery(
  query: string | undefined,
  parameter: string,
  credential: NamedCredential,
): Extraction {
  const matching = parametersNamed(query, parameter);
  const first = matching[0];
  if (first === undefined) return ABSENT;
  if (matching.length > 1) return refused('credential_ambiguous');
  if (first.rawName !== parameter) return refused('credential_escaped');
  const text = decodeForm(first.rawValue);
  if (text === undefined || text === '') return refused('credential_malformed');
  return { kind: 'present', credential, text };
}

function fromCookie(input: CheckInput, rule: RouteRule, policy: CompiledPolicy): Extraction {
  let found: Extraction = ABSENT;
  for (const credential of policy.credentials) {
    if (credential.place !== 'cookie') continue;
    const values = cookieValues(input.headers[SLOT.cookie], credential.cookie);
    const text = values[0];
    if (text === undefined) continue;
    if (values.length > 1 || found.kind !== 'absent') return refused('credential_ambiguous', true);
    found = { kind: 'present', credential, text };
  }
  const known = accepted(found, rule);
  if (known.kind !== 'present') return known;
  if (known.text === '') return refused('credential_malformed', true);
  return isForeignSite(input, policy) ? refused('cross_site_request', true) : known;
}

/**
 * A page of another site can make a browser send the cookie. Fetch Metadata tells; older browsers send `Origin`; a
 * client that sends neither is no browser. Safe methods change nothing (RFC 9110 §9.2.1), upgrades open a channel.
 */
function isForeignSite(input: CheckInput, policy: CompiledPolicy): boolean {
  const isSafe = input.method === 'GET' || input.method === 'HEAD' || input.method === 'OPTIONS';
  if (isSafe && input.headers[SLOT.upgrade] === undefined) return false;
  const site = input.headers[SLOT.secFetchSite];
  if (site === 'same-origin' || site === 'none') return false;
  const origin = input.headers[SLOT.origin];
  if (site === undefined && origin === undefined) return false;
  return typeof origin !== 'string' || !policy.publicOrigins.has(origin);
}
