import { parseCidr } from '../model/address.ts';
import type { UnstorableText } from './ports.ts';
import { type Refusal, refusal } from './result.ts';

/** A name is for people; the store's column holds so many. */
const NAME_CHARS_MAX = 200;
/** Something that can be seen. */
const VISIBLE = /[^\p{C}\p{Z}]/u;
/** Control characters drive terminals; the second range turns the direction of the text around it (UAX #9 §2). */
const CONTROL = /[\p{Cc}\u2028\u2029]|[\u200e\u200f\u202a-\u202e\u2066-\u2069]/u;
/** One `@` with something around it: whether mail arrives there is not ours to say. */
const EMAIL = /^[^\s@]{1,64}@[^\s@]{1,255}$/;
/** RFC 6749 §3.3 `scope-token`. */
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/;
/** As many as fit a header that every server takes. */
const SCOPES_MAX = 64;
const CIDRS_MAX = 64;

export function checkName(name: string, what: string): Refusal | undefined {
  if (!VISIBLE.test(name)) return refusal('invalid', `The ${what} must not be blank.`);
  if (name.trim() !== name) {
    return refusal('invalid', `The ${what} begins or ends with a blank. Remove it.`);
  }
  if (name.length > NAME_CHARS_MAX) {
    return refusal(
      'invalid',
      `The ${what} has ${name.length} characters; at most ${NAME_CHARS_MAX} are allowed.`,
    );
  }
  if (CONTROL.test(name)) {
    return refusal('invalid', `The ${what} holds a control character. Remove it.`);
  }
  return undefined;
}

export function checkEmail(email: string | null): Refusal | undefined {
  if (email === null || (EMAIL.test(email) && !CONTROL.test(email))) return undefined;
  return refusal(
    'invalid',
    `${JSON.stringify(email)} is not an e-mail address. Write it as name@example.com.`,
  );
}

export function checkScopes(scopes: readonly string[]): Refusal | undefined {
  if (scopes.length > SCOPES_MAX) {
    return refusal(
      'invalid',
      `${scopes.length} scopes are too many; at most ${SCOPES_MAX} are allowed.`,
    );
  }
  const bad = scopes.find((scope) => !SCOPE.test(scope));
  if (bad === undefined) return undefined;
  return refusal(
    'invalid',
    `${JSON.stringify(bad)} is not a scope. A scope is printable ASCII without blanks, quotes and backslashes.`,
  );
}

export function checkCidrs(cidrs: readonly string[]): Refusal | undefined {
  if (cidrs.length > CIDRS_MAX) {
    return refusal(
      'invalid',
      `${cidrs.length} address blocks are too many; at most ${CIDRS_MAX} are allowed.`,
    );
  }
  const bad = cidrs.find((cidr) => parseCidr(cidr) === undefined);
  if (bad === undefined) return undefined;
  return refusal(
    'invalid',
    `${JSON.stringify(bad)} is not an address block. Write it as 203.0.113.0/24 or 2001:db8::/32, with the host bits zero.`,
  );
}

export function checkExpiry(expiresAtMs: number | null, wallMs: number): Refusal | undefined {
  if (expiresAtMs === null || expiresAtMs > wallMs) return undefined;
  return refusal('invalid', 'The expiry lies in the past. Give a time to come, or none.');
}

export function unstorable({ field, problem }: UnstorableText): Refusal {
  return refusal('invalid', `The ${field} cannot be stored: ${problem}.`);
}
