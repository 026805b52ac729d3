import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { policySchema } from '../../src/policy/schema.ts';
import {
  allowing,
  type CheckProbe,
  denying,
  line,
  startCheckProbe,
} from '../support/check-probe.ts';
import { ENVOY_YAML, startEnvoy, type TestEnvoy, validateConfig } from '../support/envoy.ts';
import type { HeaderPairs } from '../support/http-clients.ts';
import { loadProtoOracle } from '../support/proto-oracle.ts';

/*
 * The reference envoy.yaml on a real Envoy, asked through a probe in latchkey's place: what the file itself must hold,
 * whoever answers the check. No unit test reaches this: every line below is a promise that only Envoy can keep.
 */

const oracle = loadProtoOracle();

describe('envoy.yaml', () => {
  let probe: CheckProbe;
  let envoy: TestEnvoy;

  beforeAll(async () => {
    probe = await startCheckProbe(allowing());
    envoy = await startEnvoy({ check: probe.endpoint });
    await envoy.whenHealthy();
  });
  afterEach(() => {
    probe.setHandler(allowing());
  });
  afterAll(async () => {
    await envoy?.stop();
    probe?.stop();
  });

  /** The headers, repeats kept, and path of the last CheckRequest. */
  const lastCheck = () => {
    const bytes = probe.requests.at(-1) ?? Buffer.alloc(0);
    const http = oracle.decodeRequest(bytes).attributes?.request?.http;
    const headers = (http?.header_map?.headers ?? []).map(
      ({ key, raw_value }): [string, string] => [key, raw_value.toString('latin1')],
    );
    return { path: http?.path, headers };
  };

  it('is valid as it stands in the repository', async () => {
    await expect(validateConfig(fileURLToPath(ENVOY_YAML))).resolves.toContain('OK');
  });

  describe('refuses what upstreams read in two ways, before anybody is asked', () => {
    const many = (count: number): HeaderPairs =>
      Array.from({ length: count }, (_, index) => [`x-${index}`, '1']);

    it.each([
      ['an underscore in a name', 400, { headers: [['x_principal_id', 'evil']] as HeaderPairs }],
      ['%2F', 400, { path: '/public%2Fadmin' }],
      ['%2f', 400, { path: '/public%2fadmin' }],
      ['%5C', 400, { path: '/public%5Cadmin' }],
      ['%00', 400, { path: '/public%00' }],
      ['a fragment', 400, { path: '/public#admin' }],
      ['more than 100 headers', 431, { headers: many(100) }],
      ['more than 32 KiB of headers', 431, { headers: [['x', 'x'.repeat(33_000)]] as HeaderPairs }],
    ])('%s: %i', async (_what, status, request) => {
      const before = probe.requests.length;
      expect((await envoy.request(request)).status).toBe(status);
      expect(probe.requests).toHaveLength(before);
    });

    it('an underscore in a name over HTTP/2: the stream is reset', async () => {
      const before = probe.requests.length;
      const headers = [['x_principal_id', 'evil']] as const;
      await expect(envoy.http2Request({ headers })).rejects.toThrow(/stream/i);
      expect(probe.requests).toHaveLength(before);
    });

    it.each(['OPTIONS *', 'CONNECT localhost:443'])('%s: 404', async (target) => {
      const before = probe.requests.length + envoy.upstream.requests();
      const response = await envoy.rawRequest(`${target} HTTP/1.1\r\nhost: localhost:443\r\n\r\n`);
      expect(response.status).toBe(404);
      expect(probe.requests.length + envoy.upstream.requests()).toBe(before);
    });
  });

  it.each([
    ['/public/../admin', '/admin'],
    ['/public/%2e%2e/admin', '/admin'],
    ['/../../admin', '/admin'],
    ['//admin', '/admin'],
    ['/./a//b/.', '/a/b/'],
    ['/%61?x=/../%2F', '/a?x=/../%2F'],
    ['/%252e%252e/', '/%252e%252e/'],
    ['/a;b=/..', '/'],
  ])('checks the very path that the upstream gets: %s', async (sent, expected) => {
    const response = await envoy.request({ path: sent });
    expect(response.echo().path).toBe(expected);
    expect(lastCheck().path).toBe(expected);
  });

  describe('lets no client speak for latchkey', () => {
    const policyNames = Object.values(policySchema.shape.principal_headers.parse({}));
    const forged: HeaderPairs = [
      ...policyNames,
      'x-ratelimit-limit',
      'x-ratelimit-remaining',
      'x-ratelimit-reset',
      'ratelimit',
      'ratelimit-policy',
    ].map((name) => [name, 'evil']);
    const mixedCase: HeaderPairs = forged.map(([name]) => [name.toUpperCase(), 'evil']);

    it('knows the names that a policy gives by default', () => {
      expect(policyNames).toHaveLength(6);
    });

    it.each([
      ['HTTP/1.1', () => envoy.request({ headers: [...forged, ...mixedCase, ['x-a', '1']] })],
      ['HTTP/2', () => envoy.http2Request({ headers: [...forged, ...forged, ['x-a', '1']] })],
      [
        'gRPC',
        async () => {
          const reply = await envoy.grpcRequest({ headers: [...forged, ['x-a', '1']] });
          return { echo: () => reply.echo };
        },
      ],
    ])('its headers reach neither the check nor the upstream: %s', async (_client, send) => {
      probe.setHandler(allowing({ principalHeaders: [] }));
      const seen = (await send()).echo()?.headers ?? [];
      expect(seen).toContainEqual(['x-a', '1']);
      expect(JSON.stringify(seen)).not.toContain('evil');
      expect(lastCheck().headers).toContainEqual(['x-a', '1']);
      expect(JSON.stringify(lastCheck())).not.toContain('evil');
    });

    it('the address and the request id are Envoy’s own', async () => {
      const headers: HeaderPairs = [
        ['x-forwarded-for', '192.0.2.66'],
        ['x-envoy-external-address', '192.0.2.66'],
        ['x-envoy-internal', 'true'],
        ['x-request-id', 'mine'],
      ];
      await envoy.request({ headers });
      const seen = new Map(lastCheck().headers);
      expect(seen.get('x-envoy-external-address')).toBe('127.0.0.1');
      expect(seen.get('x-envoy-internal')).toBeUndefined();
      expect(seen.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
    });
  });

  it('sends every header to the check, repeats one by one and byte for byte', async () => {
    await envoy.rawRequest(
      'GET / HTTP/1.1\r\nhost: a\r\nX-API-Key: k1\r\nx-api-key: k\xff2\r\ncookie: a=1\r\ncookie: b=2\r\norigin: null\r\n\r\n',
    );
    const { headers } = lastCheck();
    const wanted = ['x-api-key', 'cookie', 'origin'];
    expect(headers.filter(([name]) => wanted.includes(name))).toEqual([
      ['x-api-key', 'k1'],
      ['x-api-key', 'k\xff2'],
      ['cookie', 'a=1'],
      ['cookie', 'b=2'],
      ['origin', 'null'],
    ]);
  });

  describe('carries out what latchkey says', () => {
    it('allow: principal set, credential gone from header, cookie and query', async () => {
      probe.setHandler(allowing({ requestHeaders: [{ name: 'cookie', value: 'theme=dark' }] }));
      const response = await envoy.request({
        path: '/a?api_key=secret&b=2',
        headers: [
          ['authorization', 'Bearer secret'],
          ['cookie', 'session=secret; theme=dark'],
        ],
      });
      const { path, headers } = response.echo();
      expect(path).toBe('/a?b=2');
      expect(headers).toContainEqual(['x-principal-id', 'usr_1']);
      expect(headers).toContainEqual(['cookie', 'theme=dark']);
      expect(response.body).not.toContain('secret');
      expect(response.values('x-ratelimit-remaining')).toEqual(['41']);
    });

    it('deny: status, every challenge, headers and body are latchkey’s own', async () => {
      probe.setHandler(denying());
      const before = envoy.upstream.requests();
      const response = await envoy.request();
      expect(response.status).toBe(401);
      expect(response.values('www-authenticate')).toEqual(['Bearer realm="a"', 'Basic realm="a"']);
      expect(response.header('content-type')).toBe('application/problem+json');
      expect(response.body).toBe('{"code":"mine"}');
      expect(envoy.upstream.requests()).toBe(before);
    });

    it('a 503 of latchkey’s own keeps its body and Retry-After', async () => {
      probe.setHandler(denying({ httpStatus: 503, code: 14, headers: [line('retry-after', '7')] }));
      const response = await envoy.request();
      expect([response.status, response.header('retry-after'), response.body]).toEqual([
        503,
        '7',
        '{"code":"mine"}',
      ]);
    });

    it('a denied gRPC call ends with latchkey’s code and text', async () => {
      const headers = [line('grpc-status', '8')];
      probe.setHandler(denying({ httpStatus: 429, code: 8, headers, body: 'Too many.' }));
      const { code, message } = await envoy.grpcRequest();
      expect({ code, message }).toEqual({ code: 8, message: 'Too many.' });
    });

    it('strip_headers may name headers of Envoy', async () => {
      probe.setHandler(allowing({ removeRequestHeaders: ['x-envoy-external-address'] }));
      const response = await envoy.request();
      expect(response.status).toBe(200);
      expect(response.body).not.toContain('x-envoy-external-address');
    });

    it('what latchkey adds does not change the route', async () => {
      probe.setHandler(allowing({ requestHeaders: [line('content-type', 'application/grpc')] }));
      // What the upstream takes for a gRPC call it answers in a header.
      const echo = JSON.parse((await envoy.request()).header('echo') ?? '{}');
      expect(echo.protocol).toBe('1.1');
    });

    it.each([
      ['to the upstream', 'requestHeaders'],
      ['to the client', 'responseHeaders'],
    ])('a header %s that holds a line break is a 500, not two headers', async (_to, list) => {
      const handler = allowing({ [list]: [line('x-a', '1~~x-b: 2')] });
      probe.setHandler(async (request, metadata) => {
        const bytes = (await handler(request, metadata)).toString('latin1');
        return Buffer.from(bytes.replace('~~', '\r\n'), 'latin1');
      });
      expect((await envoy.request()).status).toBe(500);
    });

    it.each([':path', ':method', ':authority', 'host'])('but not a new %s: 500', async (name) => {
      probe.setHandler(allowing({ requestHeaders: [line(name, '/admin')] }));
      const before = envoy.upstream.requests();
      const response = await envoy.request();
      expect(response.status).toBe(500);
      expect(response.json()).toMatchObject({ status: 500, code: 'temporarily_unavailable' });
      expect(envoy.upstream.requests()).toBe(before);
    });
  });

  describe('answers 503 in the shape of latchkey’s denials, and asks nobody else, when the check', () => {
    it.each([
      ['fails', () => Promise.reject(new Error('probe')), 'ext_authz_error'],
      ['gives no answer within a second', () => new Promise<Buffer>(() => {}), 'ext_authz_error'],
      ['gives bytes that are no answer', () => Buffer.from([0xff]), 'ext_authz_error'],
    ])('%s', async (what, handler, details) => {
      probe.setHandler(handler);
      const before = envoy.upstream.requests();
      const path = `/${what.replaceAll(' ', '-')}`;
      const response = await envoy.request({ path });
      expect(response.status).toBe(503);
      expect(response.header('content-type')).toBe('application/problem+json');
      expect(response.header('retry-after')).toBe('1');
      expect(response.header('cache-control')).toBe('no-store');
      expect(response.json()).toMatchObject({ status: 503, code: 'temporarily_unavailable' });
      expect(envoy.upstream.requests()).toBe(before);
      expect(await envoy.accessLogLine(path)).toContain(details);
    });

    it('fails under a gRPC call: UNAVAILABLE without JSON', async () => {
      probe.setHandler(() => Promise.reject(new Error('probe')));
      const { code, message } = await envoy.grpcRequest();
      expect(code).toBe(14);
      expect(message).not.toContain('{');
    });
  });

  it('waits for a slow answer, and asks once', async () => {
    const before = probe.requests.length;
    probe.setHandler(async (request, metadata) => {
      await new Promise((resolve) => setTimeout(resolve, 600));
      return allowing()(request, metadata);
    });
    expect((await envoy.request()).status).toBe(200);
    expect(probe.requests.length - before).toBe(1);
  });

  it('does not count a denial as an answer of the upstream', async () => {
    probe.setHandler(denying());
    const denied = await envoy.stat('http.ingress.ext_authz.latchkey.denied');
    await envoy.request();
    expect(await envoy.stat('http.ingress.ext_authz.latchkey.denied')).toBe(denied + 1);
    expect(await envoy.stat('cluster.upstream.upstream_rq_401')).toBe(0);
  });

  it('logs what latchkey said, and nothing secret, on allow and deny', async () => {
    const secret = 'canary0123456789';
    const headers: HeaderPairs = [
      ['authorization', `Bearer ${secret}`],
      ['x-api-key', secret],
      ['cookie', `session=${secret}`],
      ['referer', `http://a/?${secret}`],
      ['user-agent', secret],
      ['host', `user:${secret}@a`],
      ['x-envoy-original-path', `/${secret}`],
    ];
    await envoy.request({ path: `/logged/allow?api_key=${secret}`, headers });
    probe.setHandler(denying());
    await envoy.request({ path: `/logged/deny?api_key=${secret}`, headers });
    probe.setHandler(() => Promise.reject(new Error('probe')));
    await envoy.request({ path: `/logged/error?api_key=${secret}`, headers });
    const lines = await Promise.all(
      ['allow', 'deny', 'error'].map((name) => envoy.accessLogLine(`/logged/${name}`)),
    );
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({
      path: '/logged/allow',
      client: '127.0.0.1',
      status: 200,
      decision_id: 'dec_1',
      reason: 'allowed',
      credential: 'key_1',
    });
    expect(JSON.parse(lines[1] ?? '')).toMatchObject({
      path: '/logged/deny',
      status: 401,
      flags: 'UAEX',
      details: 'ext_authz_denied',
      decision_id: 'dec_2',
      reason: 'key_revoked',
    });
    expect(Number(JSON.parse(lines[1] ?? '').check_us)).toBeGreaterThan(0);
    expect([...lines, ...envoy.log()].join('\n')).not.toContain(secret);
  });

  it('speaks HTTP/1.1 to the upstream for HTTP/2 clients, and HTTP/2 for gRPC', async () => {
    expect((await envoy.http2Request()).echo().protocol).toBe('1.1');
    const { code, echo } = await envoy.grpcRequest();
    expect([code, echo?.protocol]).toEqual([0, '2.0']);
  });
});
