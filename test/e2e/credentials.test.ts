import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LIMIT_HEADERS, problem } from '../support/e2e-answers.ts';
import { type Cast, createCast } from '../support/e2e-cast.ts';
import { carrying, challenges, PLACES } from '../support/e2e-credentials.ts';
import { type Stack, startStack } from '../support/e2e-stack.ts';
import type { TestEnvoy } from '../support/envoy.ts';
import type { HttpResponse, RequestInit } from '../support/http-clients.ts';

/*
 * Every kind of credential on every kind of route, through the reference Envoy, with headers one by one and joined: the status,
 * the challenges, the body and the limits are what the client reads at last, after Envoy has had its say.
 */

let stack: Stack;
let cast: Cast;
const envoys = new Map<string, TestEnvoy>();

beforeAll(async () => {
  stack = await startStack();
  for (const mode of MODES) envoys.set(mode, await stack.addEnvoy(mode));
  cast = await createCast(stack);
});
afterAll(() => stack?.stop());

/** What each key gets on each route, in whichever place it comes. */
const TABLE: readonly (readonly [route: string, key: string, verdict: string])[] = [
  ['GET /v1/read', 'reader', '200'],
  ['GET /v1/read', 'admin', '200'],
  ['GET /v1/read', 'bounded admin', '200'],
  ['GET /v1/read', 'here', '200'],
  ['GET /v1/read', 'writer', '403 insufficient_scope'],
  ['GET /v1/read', 'test', '403 environment_not_accepted'],
  ['GET /v1/read', 'elsewhere', '403 address_not_allowed'],
  ['GET /v1/read', 'mistyped', '401 invalid_credential'],
  ['GET /v1/read', 'deleted', '401 invalid_credential'],
  ['GET /v1/read', 'revoked', '401 invalid_credential'],
  ['GET /v1/read', 'disabled', '401 invalid_credential'],
  ['GET /v1/read', 'expired', '401 invalid_credential'],
  ['POST /v1/read', 'admin', '405 method_not_allowed'],
  ['POST /v1/write', 'writer', '200'],
  ['POST /v1/write', 'reader', '403 insufficient_scope'],
  ['GET /v1/items/1', 'writer', '200'],
  ['DELETE /v1/items/1', 'reader', '200'],
  ['GET /v1/items/', 'reader', '404 not_found'],
  ['GET /v1/admin', 'admin', '200'],
  ['GET /v1/admin/a/b', 'bounded admin', '403 insufficient_scope'],
  ['GET /v1/any-of', 'writer', '200'],
  ['GET /v1/any-of', 'reader', '403 insufficient_scope'],
  ['GET /v1/sandbox/x', 'test', '200'],
  ['GET /v1/sandbox/x', 'reader', '200'],
  ['GET /v1/optional/x', 'reader', '200'],
  ['GET /v1/none/x', 'revoked', '200'],
  ['GET /v1/hidden/x', 'admin', '200'],
  ['GET /v1/hidden/x', 'reader', '404 not_found'],
  ['GET /v1/hidden/x', 'revoked', '404 not_found'],
  ['GET /v1/passing', 'reader', '200'],
  ['GET /nowhere', 'admin', '404 not_found'],
  ['GET /v1/tenants/acme/x', 'reader', '200'],
  ['GET /v1/tenants/other/x', 'admin', '403 forbidden'],
];

const MODES = ['raw', 'map'] as const;

describe.each(PLACES.flatMap((place) => MODES.map((mode) => ({ place, mode }))))(
  'a key by $place, headers $mode',
  ({ place, mode }) => {
    const send = (request: RequestInit): Promise<HttpResponse> => {
      const envoy = envoys.get(mode);
      if (envoy === undefined) throw new Error(`no Envoy ${mode}`);
      return envoy.request(request);
    };

    it.each(TABLE)('%s, %s: %s', async (route, name, verdict) => {
      const [method = '', path = ''] = route.split(' ');
      const request = carrying(place, cast(name).text, { method, path });
      const response = await send(request);
      const [status, code] = verdict.split(' ');
      expect(response.status).toBe(Number(status));
      if (code === undefined) expect(response.echo().method).toBe(method);
      else expectDenial(response, Number(status), code);
    });

    it('counts on a limited plan, and says so on allow and deny', async () => {
      const key = await stack.keys.create({ plan: 'small' });
      const ask = () => send(carrying(place, key.text, { path: '/v1/read' }));
      const first = await ask();
      const second = await ask();
      const third = await ask();
      expect([first.status, second.status, third.status]).toEqual([200, 200, 429]);
      const remaining = [first, second, third].map((each) => each.header('x-ratelimit-remaining'));
      expect(remaining).toEqual(['1', '0', '0']);
      for (const response of [first, second, third]) {
        expect(response.header('x-ratelimit-limit')).toBe('2');
        expect(response.header('ratelimit-policy')).toBe('"hour";q=2;w=3600, "day";q=100;w=86400');
        // An hour at most until all of it is back, as seconds since 1970.
        const secondsAhead = Number(response.header('x-ratelimit-reset')) - Date.now() / 1000;
        expect(secondsAhead).toBeGreaterThan(1700);
        expect(secondsAhead).toBeLessThanOrEqual(3601);
      }
      expect(third.header('ratelimit')).toMatch(/^"hour";r=0;t=1800, "day";r=\d+;t=\d+$/);
      expect(third.header('retry-after')).toBe('1800');
      expect(problem(third)).toEqual({
        type: 'https://iana.org/assignments/http-problem-types#quota-exceeded',
        title: 'Rate limit exceeded',
        status: 429,
        detail: 'Too many requests. Try again after the time in Retry-After.',
        code: 'rate_limit_exceeded',
        'violated-policies': ['hour'],
      });
      expect(third.values('www-authenticate')).toEqual([]);
    });
  },
);

/** What any denial of the table has. */
function expectDenial(response: HttpResponse, status: number, code: string): void {
  expect(response.header('content-type')).toBe('application/problem+json');
  expect(response.header('cache-control')).toBe('no-store');
  expect(problem(response)).toMatchObject({ type: 'about:blank', status, code });
  expect(response.values('www-authenticate')).toEqual(challengesFor(code));
  // Whoever may not come in learns nothing of limits, and spends none.
  expect(LIMIT_HEADERS.flatMap((name) => response.values(name))).toEqual([]);
  expect(response.header('retry-after')).toBeUndefined();
  const isMethod = code === 'method_not_allowed';
  expect(response.header('allow')).toBe(isMethod ? 'GET, HEAD' : undefined);
}

function challengesFor(code: string): unknown[] {
  switch (code) {
    case 'invalid_credential':
      return challenges(', error="invalid_token"');
    case 'insufficient_scope':
      return [expect.stringMatching(/^Bearer realm="e2e", error="insufficient_scope", scope="/)];
    default:
      return [];
  }
}
