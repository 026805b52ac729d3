import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { problem, withoutIds } from '../support/e2e-answers.ts';
import { type Cast, createCast } from '../support/e2e-cast.ts';
import { carrying, challenges, PLACES } from '../support/e2e-credentials.ts';
import { type Stack, startStack } from '../support/e2e-stack.ts';
import type { TestEnvoy } from '../support/envoy.ts';
import type { RequestInit } from '../support/http-clients.ts';

/* What a client is told with a denial, to the letter, after Envoy has had its say. */

let stack: Stack;
let envoy: TestEnvoy;
let cast: Cast;

beforeAll(async () => {
  stack = await startStack();
  envoy = await stack.addEnvoy();
  cast = await createCast(stack);
});
afterAll(() => stack?.stop());

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
      (name) => cast(name).text,
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
    const response = await ask(carrying('bearer', cast('reader').text, { path: '/v1/any-of' }));
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
    const reader = cast('reader').text;
    const twice = carrying('header', reader, carrying('bearer', reader, { path: '/v1/read' }));
    const response = await ask(twice);
    expect(response.status).toBe(400);
    expect(response.values('www-authenticate')).toEqual(challenges(', error="invalid_request"'));
    expect(problem(response)).toMatchObject({ code: 'ambiguous_credential', status: 400 });
  });

  it('that a place is not accepted on this route: 401 with the one that is', async () => {
    const request = { path: '/v1/only-header' };
    for (const place of PLACES) {
      const response = await ask(carrying(place, cast('reader').text, request));
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
