import { once } from 'node:events';
import { connect } from 'node:http2';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { problem } from '../support/e2e-answers.ts';
import { type Cast, createCast } from '../support/e2e-cast.ts';
import { carrying, challenges, type Place } from '../support/e2e-credentials.ts';
import { type Stack, startStack } from '../support/e2e-stack.ts';
import type { TestEnvoy } from '../support/envoy.ts';
import type { RequestInit } from '../support/http-clients.ts';

/* What clients of HTTP/2 and of gRPC read, which is Envoy's translation of the one answer that latchkey gave. */

let stack: Stack;
let envoy: TestEnvoy;
let cast: Cast;

beforeAll(async () => {
  stack = await startStack();
  envoy = await stack.addEnvoy();
  cast = await createCast(stack);
});
afterAll(() => stack?.stop());

describe('HTTP/2 clients get what HTTP/1.1 clients get', () => {
  const cases: readonly (readonly [string, Place, string, string, number])[] = [
    ['allowed', 'bearer', 'reader', '/v1/read', 200],
    ['allowed by cookie', 'cookie', 'reader', '/v1/read', 200],
    ['refused', 'header', 'revoked', '/v1/read', 401],
    ['forbidden', 'basic', 'reader', '/v1/admin', 403],
    ['not found', 'query', 'reader', '/nowhere', 404],
    ['hidden', 'bearer', 'reader', '/v1/hidden/x', 404],
    ['a method that is not there', 'bearer', 'reader', '/v1/write', 405],
    ['a path with two readings', 'bearer', 'reader', '/v1/none/%zz', 400],
  ];

  it.each(cases)('%s', async (_case, place, name, path, status) => {
    const request = carrying(place, cast(name).text, { path });
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
      ['cookie', `sid=${cast('reader').text}`],
      ['cookie', 'b=2'],
    ] as const;
    const response = await envoy.http2Request({ path: '/v1/read', headers });
    expect(response.status).toBe(200);
    expect(response.echo().headers).toContainEqual(['cookie', 'a=1; b=2']);
  });

  it('each stream of a connection is its own client', async () => {
    const texts = [cast('reader').text, cast('admin').text, cast('revoked').text];
    const session = connect(`http://127.0.0.1:${envoy.port}`);
    const ask = async (index: number) => {
      const stream = session.request({
        ':path': '/v1/read',
        'x-api-key': texts[index % 3] ?? '',
        'x-credential-id': cast('reader').id,
      });
      const [head] = await once(stream, 'response');
      return { status: head[':status'], body: await text(stream) };
    };
    const answers = await Promise.all(Array.from({ length: 60 }, (_, index) => ask(index)));
    session.close();
    const ids = [cast('reader').id, cast('admin').id];
    for (const [index, { status, body }] of answers.entries()) {
      expect(status).toBe(index % 3 === 2 ? 401 : 200);
      const told = ids.filter((id) => body.includes(id));
      expect(told).toEqual(index % 3 === 2 ? [] : [ids[index % 3]]);
    }
  });

  it('HEAD is allowed where GET is, and only there', async () => {
    const request = (path: string) =>
      envoy.http2Request(carrying('bearer', cast('reader').text, { path, method: 'HEAD' }));
    expect((await request('/v1/read')).status).toBe(200);
    expect((await request('/v1/write')).status).toBe(405);
    expect((await request('/v1/admin')).status).toBe(403);
  });
});

const ECHO = '/echo.Echo/Echo';

describe('gRPC clients read grpc-status', () => {
  it.each<readonly [string, string, readonly (readonly [Place, string])[], number, RegExp]>([
    ['no credential', ECHO, [], 16, /needs a credential/],
    ['an unknown key', ECHO, [['bearer', 'deleted']], 16, /not valid/],
    ['a revoked key', ECHO, [['header', 'revoked']], 16, /not valid/],
    ['a scope that is missing', '/echo.Admin/Echo', [['bearer', 'reader']], 7, /lacks a scope/],
    ['an address that is not allowed', ECHO, [['bearer', 'elsewhere']], 7, /address/],
    ['a wrong environment', ECHO, [['basic', 'test']], 7, /environment/],
    ['a service that is not there', '/echo.Other/Echo', [['bearer', 'admin']], 5, /nothing at/],
    ['a path that is for GET', '/v1/read', [['bearer', 'reader']], 12, /method/i],
    [
      'two credentials',
      ECHO,
      [
        ['bearer', 'reader'],
        ['header', 'reader'],
      ],
      3,
      /exactly one credential/,
    ],
    ['a path with two readings', '/echo.Echo/%zz', [['bearer', 'reader']], 3, /path/],
  ])('%s', async (_case, path, credentials, code, message) => {
    const requests = envoy.upstream.requests();
    let request: RequestInit = {};
    for (const [place, name] of credentials) request = carrying(place, cast(name).text, request);
    const response = await envoy.grpcRequest({ path, headers: request.headers ?? [] });
    expect([response.code, response.message]).toEqual([code, expect.stringMatching(message)]);
    expect(response.message).not.toContain('{');
    expect(envoy.upstream.requests()).toBe(requests);
  });

  it.each(['bearer', 'header', 'basic', 'cookie'] as const)('0 with a key by %s', async (place) => {
    const { headers = [] } = carrying(place, cast('reader').text, {});
    const response = await envoy.grpcRequest({ headers });
    expect([response.code, response.message]).toEqual([0, '']);
    expect(response.echo?.headers).toContainEqual(['x-credential-id', cast('reader').id]);
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

  it('and find the challenges in the metadata', async () => {
    const { metadata } = await envoy.grpcRequest();
    expect(metadata.get('www-authenticate').join(', ')).toBe(challenges().join(', '));
  });

  it('a refused HTTP request to the same path is no gRPC answer', async () => {
    const response = await envoy.request({ path: ECHO, method: 'POST' });
    expect([response.status, response.header('grpc-status')]).toEqual([401, undefined]);
  });
});
