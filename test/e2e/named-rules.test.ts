import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Cast, createCast } from '../support/e2e-cast.ts';
import { sendForged } from '../support/e2e-forged.ts';
import { type Stack, startStack } from '../support/e2e-stack.ts';
import { ENVOY_WAYS, type Envoys, openEnvoys } from '../support/e2e-ways.ts';
import type { HeaderPairs } from '../support/http-clients.ts';

/*
 * Routes of Envoy that name their rule (`context_extensions`) instead of leaving it to the path. The name is Envoy's to say: here
 * it says it, for paths that the policy does not know, or knows as something else.
 */

/** Path prefix → rule. The last one stands below a path that the policy leaves open to all. */
const NAMED_RULES = {
  '/named/read': 'read',
  '/named/any-of': 'any-of',
  '/named/admin': 'admin',
  '/named/optional': 'optional',
  '/named/none': 'none',
  '/named/hidden': 'hidden',
  '/named/unknown': 'no-such-rule',
  '/named/empty': '',
  '/v1/none/admin': 'admin',
};

let stack: Stack;
let envoys: Envoys;
let cast: Cast;

beforeAll(async () => {
  stack = await startStack();
  envoys = await openEnvoys(stack, { namedRules: NAMED_RULES });
  cast = await createCast(stack);
});
afterAll(() => stack?.stop());

/** By which path, with which key; what each kind of client gets (HTTP/1.1, HTTP/2, gRPC); which scopes the upstream is told. */
type Row = readonly [
  path: string,
  key: string | undefined,
  statuses: readonly [number, number, number],
  scopes?: string,
];

const OK = [200, 200, 0] as const;
const NO_KEY = [401, 401, 16] as const;
const FORBIDDEN = [403, 403, 7] as const;
const NOT_FOUND = [404, 404, 5] as const;

const ROWS: readonly Row[] = [
  ['/named/any-of', 'writer', OK, 'write'],
  ['/named/any-of', 'reader', FORBIDDEN],
  ['/named/any-of', undefined, NO_KEY],
  ['/named/any-of', 'revoked', NO_KEY],
  ['/named/admin/x', 'admin', OK, 'admin read write'],
  ['/named/admin/x', 'bounded admin', FORBIDDEN],
  // A rule's methods hold by whatever way it is found.
  ['/named/read', 'reader', [200, 200, 12], 'read'],
  ['/named/optional', 'reader', OK, 'read'],
  ['/named/optional', undefined, OK, 'nobody'],
  ['/named/optional', 'revoked', NO_KEY],
  ['/named/none', 'reader', OK, 'nobody'],
  ['/named/none', undefined, OK, 'nobody'],
  ['/named/hidden', 'admin', OK, 'admin read write'],
  ['/named/hidden', 'reader', NOT_FOUND],
  ['/named/hidden', undefined, NOT_FOUND],
  ['/named/unknown', 'admin', NOT_FOUND],
  ['/named/empty', 'admin', NOT_FOUND],
  ['/v1/none/admin', 'admin', OK, 'admin read write'],
  ['/v1/none/admin', 'reader', FORBIDDEN],
  ['/v1/none/admin', undefined, NO_KEY],
  ['/v1/none/other', undefined, OK, 'nobody'],
];

const CASES = ROWS.map(([path, name, statuses, scopes]) => ({ path, name, statuses, scopes }));

describe.each(ENVOY_WAYS)('%s: the rule that a route names holds', (way) => {
  it.each(CASES)('$path, $name: $statuses', async ({ path, name, statuses, scopes }) => {
    const visit = name === undefined ? { path } : { path, key: async () => cast(name) };
    const answers = await sendForged(envoys[way], visit);
    expect(answers.map(({ status }) => status)).toEqual(statuses);
    for (const { status, told, received } of answers) {
      const isAllowed = status === 200 || status === 0;
      expect(scopesIn(told)).toBe(isAllowed ? scopes : undefined);
      expect(received).not.toContain('evil');
    }
  });

  it('no client names one itself', async () => {
    const headers = ['rule', 'x-rule', 'context-extensions', 'x-envoy-context-extensions'].map(
      (name): [string, string] => [name, 'none'],
    );
    const response = await envoys[way].request({ path: '/v1/admin?rule=none', headers });
    expect(response.status).toBe(401);
  });
});

/** `nobody`: the upstream was asked, and told of no principal; `undefined`: it was not asked. */
function scopesIn(told: HeaderPairs | undefined): string | undefined {
  if (told?.length === 0) return 'nobody';
  return told?.find(([name]) => name === 'x-principal-scopes')?.[1];
}
