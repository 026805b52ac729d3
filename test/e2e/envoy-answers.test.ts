import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  allowing,
  type CheckProbe,
  denying,
  line,
  startCheckProbe,
} from '../support/check-probe.ts';
import { startEnvoy, type TestEnvoy } from '../support/envoy.ts';
import type { HeaderPairs } from '../support/http-clients.ts';

/*
 * What becomes of each answer to a check, and of none, under the reference envoy.yaml on a real Envoy; a probe answers in
 * latchkey's place and in its bytes. Half of these rows were wrong in some release or under some other setting.
 */

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
