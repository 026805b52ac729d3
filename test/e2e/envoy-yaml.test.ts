import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { policySchema } from '../../src/policy/schema.ts';
import { allowing, type CheckProbe, startCheckProbe } from '../support/check-probe.ts';
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
});
