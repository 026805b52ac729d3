import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { withoutIds } from '../support/e2e-answers.ts';
import { type Cast, createCast } from '../support/e2e-cast.ts';
import { carrying } from '../support/e2e-credentials.ts';
import type { TestKey } from '../support/e2e-keys.ts';
import { type Stack, startStack } from '../support/e2e-stack.ts';
import type { TestEnvoy } from '../support/envoy.ts';
import type { RequestInit } from '../support/http-clients.ts';

/* Nobody who may not use a hidden route learns that it is there; through Envoy, which could add a difference of its own. */

let stack: Stack;
let envoy: TestEnvoy;
let cast: Cast;

beforeAll(async () => {
  stack = await startStack();
  envoy = await stack.addEnvoy();
  cast = await createCast(stack);
});
afterAll(() => stack?.stop());

describe('a hidden route is the answer for a path that does not exist, byte for byte', () => {
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
    ['an unknown key', () => carrying('bearer', cast('deleted').text, { path: hidden })],
    ['a mistyped key', () => carrying('header', cast('mistyped').text, { path: hidden })],
    ['a scope that is missing', () => carrying('basic', cast('reader').text, { path: hidden })],
    ['a wrong environment', () => carrying('bearer', cast('test').text, { path: hidden })],
    ['a wrong address', () => carrying('bearer', cast('elsewhere').text, { path: hidden })],
    ['a key without quota', async () => carrying('bearer', (await spent()).text, { path: hidden })],
    ['another method', () => ({ path: hidden, method: 'PUT' })],
    [
      'two credentials',
      () => carrying('header', 'x', carrying('bearer', cast('admin').text, { path: hidden })),
    ],
    ['an escaped parameter', () => ({ path: `${hidden}?api%5Fkey=x` })],
    [
      'a cookie from another site',
      () => ({
        ...carrying('cookie', cast('admin').text, {
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
    expect(withoutIds(response)).toEqual(withoutIds(nowhere));
  });

  it('to clients of HTTP/2', async () => {
    const ask = (path: string) =>
      envoy.http2Request(carrying('bearer', cast('reader').text, { path }));
    const response = await ask(hidden);
    expect(response.status).toBe(404);
    expect(withoutIds(response)).toEqual(withoutIds(await ask('/v1/nothing/x')));
  });

  it.each(['reader', 'deleted', 'elsewhere'])(
    'to clients of gRPC with the key %s',
    async (name) => {
      const ask = async (path: string) => {
        const { headers = [] } = carrying('bearer', cast(name).text, {});
        const { code, message, metadata } = await envoy.grpcRequest({ path, headers });
        metadata.remove('date');
        return { code, message, metadata: metadata.toJSON() };
      };
      const response = await ask(hidden);
      expect(response.code).toBe(5);
      expect(response).toEqual(await ask('/v1/nothing/x'));
    },
  );

  it('except to those who may come in: they learn of their limit', async () => {
    const key = await stack.keys.create({ plan: 'small', scopes: ['admin'] });
    const statuses = [];
    for (const path of [hidden, hidden, hidden]) {
      statuses.push((await envoy.request(carrying('bearer', key.text, { path }))).status);
    }
    expect(statuses).toEqual([200, 200, 429]);
  });
});
