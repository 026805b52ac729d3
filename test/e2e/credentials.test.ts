import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkRequest, checkResponse } from '../support/check-messages.ts';
import { carrying, challenges, PLACES, type Place } from '../support/e2e-credentials.ts';
import type { TestKey } from '../support/e2e-keys.ts';
import { type Stack, startStack } from '../support/e2e-stack.ts';
import type { TestEnvoy } from '../support/envoy.ts';
import type { HttpResponse, RequestInit } from '../support/http-clients.ts';

/*
 * Every kind of credential on every kind of route, through the reference Envoy: the status, the challenges, the body and the
 * limits are what the client reads at last, after Envoy has had its say.
 */

let stack: Stack;
let envoy: TestEnvoy;
const keys = new Map<string, TestKey>();

const HOUR_MS = 3_600_000;

beforeAll(async () => {
  stack = await startStack();
  envoy = await stack.addEnvoy();
  const { create, revoke, owners } = stack.keys;
  keys.set('reader', await create({ owner: owners.member }));
  keys.set('writer', await create({ scopes: ['write'] }));
  keys.set('admin', await create({ scopes: ['admin'] }));
  keys.set('bounded admin', await create({ scopes: ['admin'], owner: owners.member }));
  keys.set('test', await create({ environment: 'test' }));
  keys.set('elsewhere', await create({ allowedCidrs: ['192.0.2.0/24', '2001:db8::/32'] }));
  keys.set('here', await create({ allowedCidrs: ['192.0.2.0/24', '127.0.0.0/8'] }));
  keys.set('revoked', await create());
  keys.set('disabled', await create());
  keys.set('expired', await create({ expiresAtMs: Date.now() + HOUR_MS }));
  await revoke(keyNamed('revoked').id);
  const change = (column: string, name: string): Promise<object[]> =>
    stack.postgres.sql(`UPDATE latchkey.api_keys SET ${column} = now() WHERE id = $1`, [
      keyNamed(name).id,
    ]);
  await change('disabled_at', 'disabled');
  await change('expires_at', 'expired');
  keys.set('deleted', await create());
  await stack.postgres.sql('DELETE FROM latchkey.api_keys WHERE id = $1', [keyNamed('deleted').id]);
  const { text, id } = keyNamed('reader');
  keys.set('mistyped', { id, text: `${text.slice(0, -1)}${text.endsWith('a') ? 'b' : 'a'}` });
});
afterAll(() => stack?.stop());

function keyNamed(name: string): TestKey {
  const key = keys.get(name);
  if (key === undefined) throw new Error(`no key ${name}`);
  return key;
}

/** The whole body of a problem, without the id, which has to look like one. */
function problem(response: HttpResponse): Record<string, unknown> {
  const { decision_id: id, ...rest } = response.json();
  expect(id).toMatch(/^[\w-]{6,40}$/);
  return rest;
}

const LIMIT_HEADERS = [
  'x-ratelimit-limit',
  'x-ratelimit-remaining',
  'x-ratelimit-reset',
  'ratelimit',
  'ratelimit-policy',
];

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

describe.each(PLACES)('a key by %s', (place) => {
  it.each(TABLE)('%s, %s: %s', async (route, name, verdict) => {
    const [method = '', path = ''] = route.split(' ');
    const request = carrying(place, keyNamed(name).text, { method, path });
    const response = await envoy.request(request);
    const [status, code] = verdict.split(' ');
    expect(response.status).toBe(Number(status));
    if (code === undefined) expect(response.echo().method).toBe(method);
    else expectDenial(response, Number(status), code);
  });

  it('counts on a limited plan, and says so on allow and deny', async () => {
    const key = await stack.keys.create({ plan: 'small' });
    const ask = () => envoy.request(carrying(place, key.text, { path: '/v1/read' }));
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
});

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

describe('a denial says', () => {
  const ask = (request: RequestInit) => envoy.request(request);

  it('without a credential: 401 with every accepted scheme, and no error', async () => {
    const response = await ask({ path: '/v1/read' });
    expect(response.status).toBe(401);
    expect(response.values('www-authenticate')).toEqual(challenges());
    expect(problem(response)).toEqual({
      type: 'about:blank',
      title: 'Authentication required',
      status: 401,
      detail:
        'This request needs a credential. See the WWW-Authenticate header for the accepted schemes.',
      code: 'credential_required',
    });
  });

  it('the same of keys that are unknown, revoked, disabled, expired and mistyped', async () => {
    const texts = ['deleted', 'revoked', 'disabled', 'expired', 'mistyped'].map(
      (name) => keyNamed(name).text,
    );
    const shown = [];
    for (const text of texts) {
      const response = await ask(carrying('bearer', text, { path: '/v1/read' }));
      shown.push([response.status, withoutIds(response), problem(response)]);
    }
    for (const each of shown) expect(each).toEqual(shown[0]);
    expect(shown[0]?.[2]).toEqual({
      type: 'about:blank',
      title: 'Invalid credential',
      status: 401,
      detail: 'The credential is not valid.',
      code: 'invalid_credential',
    });
  });

  it('which scopes are needed, and which the key has', async () => {
    const response = await ask(carrying('bearer', keyNamed('reader').text, { path: '/v1/any-of' }));
    expect(response.values('www-authenticate')).toEqual([
      'Bearer realm="e2e", error="insufficient_scope", scope="write admin"',
    ]);
    expect(problem(response)).toEqual({
      type: 'about:blank',
      title: 'Insufficient scope',
      status: 403,
      detail: 'The credential lacks a scope that this request needs.',
      code: 'insufficient_scope',
      required_scopes: ['write', 'admin'],
      provided_scopes: ['read'],
    });
  });

  it('that a request has two credentials: 400, with every challenge', async () => {
    const reader = keyNamed('reader').text;
    const twice = carrying('header', reader, carrying('bearer', reader, { path: '/v1/read' }));
    const response = await ask(twice);
    expect(response.status).toBe(400);
    expect(response.values('www-authenticate')).toEqual(challenges(', error="invalid_request"'));
    expect(problem(response)).toMatchObject({ code: 'ambiguous_credential', status: 400 });
  });

  it('that a place is not accepted on this route: 401 with the one that is', async () => {
    const request = { path: '/v1/only-header' };
    for (const place of PLACES) {
      const response = await ask(carrying(place, keyNamed('reader').text, request));
      if (place === 'header') expect(response.status).toBe(200);
      else {
        expect([place, response.status]).toEqual([place, 401]);
        expect(response.values('www-authenticate')).toEqual(challenges().slice(1, 2));
      }
    }
  });

  it('which methods there are: 405 with Allow, whoever asks', async () => {
    for (const path of ['/v1/read', '/v1/write', '/v1/items/1']) {
      const response = await ask({ path, method: 'PATCH' });
      const allow = { '/v1/read': 'GET, HEAD', '/v1/write': 'POST' }[path] ?? 'DELETE, GET, HEAD';
      expect([response.status, response.header('allow')?.split(', ').sort().join(', ')]).toEqual([
        405,
        allow,
      ]);
    }
  });
});

/** Headers whose value is of one request only are left out; the id makes the length. */
function withoutIds({ headers, json }: HttpResponse): unknown {
  const idLength = String(json()['decision_id']).length;
  return headers
    .filter(([name]) => name !== 'date')
    .map(([name, value]) => [name, name === 'content-length' ? Number(value) - idLength : value]);
}

describe('a hidden route is the answer for a path that does not exist, byte for byte', () => {
  const bodyWithoutId = ({ body, json }: HttpResponse): string =>
    body.replace(String(json()['decision_id']), '');
  const spent = async (): Promise<TestKey> => {
    const key = await stack.keys.create({ plan: 'small', scopes: ['read'] });
    for (const path of ['/v1/read', '/v1/read']) {
      await envoy.request(carrying('bearer', key.text, { path }));
    }
    return key;
  };

  const hidden = '/v1/hidden/x';
  it.each<readonly [string, () => Promise<RequestInit> | RequestInit]>([
    ['no credential', () => ({ path: hidden })],
    ['an unknown key', () => carrying('bearer', keyNamed('deleted').text, { path: hidden })],
    ['a mistyped key', () => carrying('header', keyNamed('mistyped').text, { path: hidden })],
    ['a scope that is missing', () => carrying('basic', keyNamed('reader').text, { path: hidden })],
    ['a wrong environment', () => carrying('bearer', keyNamed('test').text, { path: hidden })],
    ['a wrong address', () => carrying('bearer', keyNamed('elsewhere').text, { path: hidden })],
    ['a key without quota', async () => carrying('bearer', (await spent()).text, { path: hidden })],
    ['another method', () => ({ path: hidden, method: 'PUT' })],
    [
      'two credentials',
      () => carrying('header', 'x', carrying('bearer', keyNamed('admin').text, { path: hidden })),
    ],
    ['an escaped parameter', () => ({ path: `${hidden}?api%5Fkey=x` })],
    [
      'a cookie from another site',
      () => ({
        ...carrying('cookie', keyNamed('admin').text, {
          path: hidden,
          method: 'POST',
          headers: [['sec-fetch-site', 'cross-site']],
        }),
      }),
    ],
  ])('%s', async (_case, build) => {
    const request = await build();
    const response = await envoy.request(request);
    const nowhere = await envoy.request({ ...request, path: '/v1/nothing/x' });
    expect(response.status).toBe(404);
    expect([response.status, withoutIds(response)]).toEqual([nowhere.status, withoutIds(nowhere)]);
    expect(bodyWithoutId(response)).toBe(bodyWithoutId(nowhere));
  });

  it('except to those who may come in: they learn of their limit', async () => {
    const key = await stack.keys.create({ plan: 'small', scopes: ['admin'] });
    const statuses = [];
    for (const path of [hidden, hidden, hidden]) {
      statuses.push((await envoy.request(carrying('bearer', key.text, { path }))).status);
    }
    expect(statuses).toEqual([200, 200, 429]);
  });
});

describe('gRPC clients read grpc-status', () => {
  it.each<readonly [string, string, string | undefined, number, RegExp]>([
    ['no credential', '/echo.Echo/Echo', undefined, 16, /needs a credential/],
    ['an unknown key', '/echo.Echo/Echo', 'deleted', 16, /not valid/],
    ['a scope that is missing', '/echo.Admin/Echo', 'reader', 7, /lacks a scope/],
    ['a path that does not exist', '/echo.Other/Echo', 'admin', 5, /nothing at this address/],
    ['an address that is not allowed', '/echo.Echo/Echo', 'elsewhere', 7, /address/],
    ['a key that may', '/echo.Echo/Echo', 'reader', 0, /^$/],
  ])('%s', async (_case, path, name, code, message) => {
    const { headers = [] } =
      name === undefined ? {} : carrying('bearer', keyNamed(name).text, { path });
    const response = await envoy.grpcRequest({ path, headers });
    expect([response.code, response.message]).toEqual([code, expect.stringMatching(message)]);
    expect(response.message).not.toContain('{');
  });

  it('8 where the limit is met, with the time in retry-after', async () => {
    const key = await stack.keys.create({ plan: 'small' });
    const headers = [['x-api-key', key.text]] as const;
    const codes = [];
    for (let count = 0; count < 2; count += 1)
      codes.push((await envoy.grpcRequest({ headers })).code);
    const last = await envoy.grpcRequest({ headers });
    expect([...codes, last.code]).toEqual([0, 0, 8]);
    expect(last.metadata.get('retry-after')).toEqual(['1800']);
    expect(last.metadata.get('ratelimit')[0]).toMatch(/^"hour";r=0;t=1800/);
  });

  it('a refused HTTP request to the same path is no gRPC answer', async () => {
    const response = await envoy.request({ path: '/echo.Echo/Echo', method: 'POST' });
    expect([response.status, response.header('grpc-status')]).toEqual([401, undefined]);
  });
});

describe('HTTP/2 clients get what HTTP/1.1 clients get', () => {
  const cases: readonly (readonly [string, Place, string, string, number])[] = [
    ['allowed', 'bearer', 'reader', '/v1/read', 200],
    ['allowed by cookie', 'cookie', 'reader', '/v1/read', 200],
    ['refused', 'header', 'revoked', '/v1/read', 401],
    ['forbidden', 'basic', 'reader', '/v1/admin', 403],
    ['not found', 'query', 'reader', '/nowhere', 404],
    ['hidden', 'bearer', 'reader', '/v1/hidden/x', 404],
  ];

  it.each(cases)('%s', async (_case, place, name, path, status) => {
    const request = carrying(place, keyNamed(name).text, { path });
    const first = await envoy.request(request);
    const second = await envoy.http2Request(request);
    expect([first.status, second.status]).toEqual([status, status]);
    if (status !== 200) {
      expect(problem(second)).toEqual(problem(first));
      expect(second.values('www-authenticate')).toEqual(first.values('www-authenticate'));
    }
  });

  it('crumbs of cookies are one header again', async () => {
    const headers = [
      ['cookie', 'a=1'],
      ['cookie', `sid=${keyNamed('reader').text}`],
      ['cookie', 'b=2'],
    ] as const;
    const response = await envoy.http2Request({ path: '/v1/read', headers });
    expect(response.status).toBe(200);
    expect(response.echo().headers).toContainEqual(['cookie', 'a=1; b=2']);
  });

  it('HEAD is allowed where GET is, and only there', async () => {
    const request = (path: string) =>
      envoy.http2Request(carrying('bearer', keyNamed('reader').text, { path, method: 'HEAD' }));
    expect((await request('/v1/read')).status).toBe(200);
    expect((await request('/v1/write')).status).toBe(405);
    expect((await request('/v1/admin')).status).toBe(403);
  });
});

describe('a route that Envoy names (context_extensions)', () => {
  it('is that rule whatever the path, and an unknown name is refused', async () => {
    const client = stack.addCheckClient();
    const ask = async (rule: string, path: string): Promise<number | undefined> => {
      const headers = [['authorization', `Bearer ${keyNamed('reader').text}`]] as const;
      const outcome = await client.check(checkRequest({ rule, path, headers }));
      if (outcome.kind === 'failure') throw new Error(outcome.details);
      const { status, denied_response: denied } = checkResponse(outcome.bytes);
      return status?.code === 0 ? 200 : denied?.status?.code;
    };
    expect(await ask('read', '/somewhere/else')).toBe(200);
    expect(await ask('admin', '/v1/read')).toBe(403);
    expect(await ask('no-such-rule', '/v1/none/x')).toBe(404);
    expect(await ask('', '/v1/none/x')).toBe(404);
  });
});
