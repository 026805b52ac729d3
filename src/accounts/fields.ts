import { parseCidr } from '../model/address.ts';
import type { UnstorableText } from './ports.ts';
import { type Refusal, refusal } from './result.ts';

/** A name is for people: anything but control characters, and not blank. The store has the last word on its length. */
const NAME_CHARS_MAX = 200;
/** RFC 6749 §3.3 `scope-token`. */
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/;
/** As many as fit a header that every server takes. */
const SCOPES_MAX = 64;
const CIDRS_MAX = 64;

export function checkName(name: string, what: string): Refusal | undefined {
  if (name.trim() === '') return refusal('invalid', `The ${what} must not be blank.`);
  if (name.length > NAME_CHARS_MAX) {
    return refusal(
      'invalid',
      `The ${what} has ${name.length} characters; at most ${NAME_CHARS_MAX} are allowed.`,
    );
  }
  if (/[\u0000-\u001f\u007f]/.test(name)) {
    return refusal('invalid', `The ${what} holds a control character. Remove it.`);
  }
  return undefined;
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
