import { randomBytes } from 'node:crypto';
import { DEFAULT_KEY_FORMAT } from '../../src/key-text/key-format.ts';
import { mintKey } from '../../src/key-text/mint.ts';
import type { AskedCheck } from './check-messages.ts';
import { type Verdict, WAYS, type Way } from './e2e-ways.ts';

/** Keys that are imported before the attacks: one may read, the other write, and no more. */
export const READER: string = mintKey(DEFAULT_KEY_FORMAT, 'live', randomBytes).text;
export const WRITER: string = mintKey(DEFAULT_KEY_FORMAT, 'live', randomBytes).text;

/** A row of attacks, or part of one, as they are numbered in docs and issues. */
export interface AttackRow {
  readonly title: string;
  readonly attacks: readonly Attack[];
}

export type Attack = readonly [name: string, request: AskedCheck, expected: Expected];

/** The same verdict everywhere, or one per kind of way, or one per form of the headers. */
export type Expected =
  | Verdict
  | { readonly check: Verdict; readonly bare: Verdict; readonly reference: Verdict }
  | { readonly raw: Verdict; readonly map: Verdict };

/** What every way is expected to end in. */
export function expectedVerdicts(expected: Expected): Record<string, Verdict> {
  return Object.fromEntries(WAYS.map((way) => [way, verdictOf(expected, way)]));
}

function verdictOf(expected: Expected, way: Way): Verdict {
  if (typeof expected === 'string') return expected;
  if ('raw' in expected) return way.endsWith('raw') ? expected.raw : expected.map;
  if (way.startsWith('check')) return expected.check;
  return way.startsWith('bare') ? expected.bare : expected.reference;
}

/** Envoy refuses, whichever it is; alone, latchkey does. */
export const refusedByEnvoy = (check: Verdict): Expected => ({
  check,
  bare: ENVOY,
  reference: ENVOY,
});

export const PASSES = 'upstream 200';
export const ENVOY = 'envoy 400';
export const TOO_LARGE = 'envoy 431';
export const AMBIGUOUS = 'latchkey 400 credential_ambiguous';
export const BAD_PATH = 'latchkey 400 path_malformed';
export const MALFORMED = 'latchkey 401 credential_malformed';
export const MISSING = 'latchkey 401 credential_missing';
export const NO_KEY = 'latchkey 401 key_malformed';
export const CHECKSUM = 'latchkey 401 key_checksum';
export const FOREIGN = 'latchkey 401 key_foreign';
export const NO_SCOPE = 'latchkey 403 scope_missing';
export const CROSS_SITE = 'latchkey 403 cross_site_request';
export const NOT_FOUND = 'latchkey 404 route_not_found';

type Header = readonly [name: string, value: string];

export const authorization = (value: string): Header => ['authorization', value];
export const bearer = (key: string): Header => authorization(`Bearer ${key}`);
export const apiKey = (value: string): Header => ['x-api-key', value];
export const cookie = (value: string): Header => ['cookie', value];

/** GET of what a reader may read. */
export const read = (...headers: readonly Header[]): AskedCheck => ({ path: '/v1/read', headers });

/** GET of this path with a key that may read. */
export const asReader = (path: string): AskedCheck => ({ path, headers: [bearer(READER)] });
