import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Echo } from '../../src/app/echo-upstream.ts';
import { bearer } from '../support/e2e-forged.ts';
import { type Stack, startStack } from '../support/e2e-stack.ts';
import { ENVOY_WAYS, type Envoys, openEnvoys } from '../support/e2e-ways.ts';
import type { HeaderPairs, RequestInit } from '../support/http-clients.ts';

/*
 * The credential does not reach the upstream, wherever it stood, and everything else does. On the reference configuration, and
 * on an Envoy without any hardening; with headers one by one and joined. What Envoy makes of the order to remove is its own.
 */

let stack: Stack;
let envoys: Envoys;

beforeAll(async () => {
  stack = await startStack();
  envoys = await openEnvoys(stack);
});
afterAll(() => stack?.stop());

describe.each(ENVOY_WAYS)('%s: the upstream sees no credential', (name) => {
  const places: readonly (readonly [string, (text: string) => RequestInit])[] = [
    ['Bearer', (text) => ({ headers: [['authorization', `Bearer ${text}`]] })],
    ['X-API-Key', (text) => ({ headers: [['X-Api-Key', text]] })],
    ['Basic', (text) => ({ headers: [['authorization', `Basic ${base64(`${text}:`)}`]] })],
    ['query', (text) => ({ path: `?api_key=${encodeURIComponent(text)}` })],
    ['cookie', (text) => ({ headers: [['cookie', `sid=${text}`]] })],
  ];
  const routes = ['/v1/read', '/v1/optional/x', '/v1/none/x'];

  it.each(places)('%s, on every kind of route, valid or not', async (_place, carry) => {
    const valid = await stack.keys.create();
    const texts = [valid.text, `${valid.text}x`];
    for (const path of routes) {
      for (const text of texts) {
        const { path: query = '', headers = [] } = carry(text);
        const request = { path: `${path}${query}`, headers };
        const answers = [
          await envoys[name].request(request),
          await envoys[name].http2Request({ ...request, headers: lowerCase(headers) }),
        ];
        for (const answer of answers) {
          if (answer.status === 200) expectNoTrace(answer.body, valid.text);
          else expect([path, answer.status, text]).not.toContain(valid.text);
        }
      }
    }
  });

  it.each(places)('%s of a gRPC client', async (_place, carry) => {
    const { text } = await stack.keys.create();
    for (const path of ['/echo.Echo/Echo', '/v1/optional/x', '/v1/none/x']) {
      const { path: query = '', headers = [] } = carry(text);
      const call = { path: `${path}${query}`, headers: lowerCase(headers) };
      const { code, echo } = await envoys[name].grpcRequest(call);
      expect(code).toBe(0);
      expectNoTrace(JSON.stringify(echo), text);
    }
  });

  it('of keys with odd characters either', async () => {
    const key = await stack.keys.importText(
      `odd~!#$&()*+-./:<=>?@[]^_\`{|}%41${name.replace(/\W+/, '')}`,
    );
    const encoded = encodeURIComponent(key.text);
    const requests: RequestInit[] = [
      { path: '/v1/read', headers: [['authorization', `Bearer ${key.text}`]] },
      { path: '/v1/read', headers: [['x-api-key', key.text]] },
      { path: `/v1/read?x=1&api_key=${encoded}&y=2` },
      { path: '/v1/read', headers: [['cookie', `a=1; sid=${key.text}; b=2`]] },
    ];
    for (const request of requests) {
      const answer = await envoys[name].request(request);
      expect(answer.status).toBe(200);
      expectNoTrace(answer.body, key.text);
      expect(answer.echo().headers).toContainEqual(['x-credential-id', key.id]);
    }
  });

  it('in all places at once, where nobody reads it', async () => {
    const { text } = await stack.keys.create();
    const answer = await envoys[name].request({
      path: `/v1/none/x?api_key=${text}&api%5Fkey=${text}&api_key=${text}&z=1`,
      headers: [
        ['authorization', `Bearer ${text}`],
        ['authorization', `Basic ${base64(`${text}:`)}`],
        ['x-api-key', text],
        ['x-api-key', text],
        ['cookie', `sid=${text}; a=1; sid =${text}`],
      ],
    });
    expect(answer.status).toBe(200);
    expectNoTrace(answer.body, text);
    expect(answer.echo().path).toBe('/v1/none/x?z=1');
    expect(answer.echo().headers).toContainEqual(['cookie', 'a=1']);
  });

  it('in two lines of cookies', async () => {
    const { text } = await stack.keys.create();
    for (const lines of [
      [`sid=${text}`, 'b=2'],
      ['b=2', `sid=${text}`],
    ]) {
      const headers = lines.map((line): [string, string] => ['cookie', line]);
      const answer = await envoys[name].request({ path: '/v1/none/x', headers });
      expect(answer.status).toBe(200);
      expectNoTrace(answer.body, text);
    }
  });
});

describe.each(ENVOY_WAYS)('%s: the rest of the request stays', (name) => {
  it('other cookies beside the credential', async () => {
    const { text } = await stack.keys.create();
    const cookie = `theme=dark; name=J\xc3\xbcrgen; sid=${text}; list="a b"`;
    const answer = await envoys[name].request({
      path: '/v1/read',
      headers: [['cookie', cookie]],
    });
    expect(cookieOf(answer.echo())).toBe('theme=dark; name=J\xc3\xbcrgen; list="a b"');
  });

  it('cookies without a credential, byte for byte', async () => {
    const key = await stack.keys.create();
    const cookie = 'theme=dark;name=J\xc3\xbcrgen ;  list="a b"; =x; flag';
    const answer = await envoys[name].request({
      path: '/v1/read',
      headers: [bearer(key), ['cookie', cookie]],
    });
    expect(cookieOf(answer.echo())).toBe(cookie);
  });

  it('other query parameters; without a credential among them, the very text', async () => {
    const key = await stack.keys.create();
    const query = 'b=2&a=%2f&a=1&flag&plus=+&empty=';
    const untouched = await envoys[name].request({
      path: `/v1/read?${query}`,
      headers: [bearer(key)],
    });
    expect(untouched.echo().path).toBe(`/v1/read?${query}`);
    const stripped = await envoys[name].request({
      path: `/v1/read?api_key=${key.text}&${query}`,
    });
    // Envoy sorts what it rebuilds, and writes `flag=`.
    expect(stripped.echo().path).toBe('/v1/read?a=%2f&a=1&b=2&empty=&flag=&plus=+');
  });

  it('the credential itself, where the route passes it on', async () => {
    const key = await stack.keys.create();
    const echo = (
      await envoys[name].request({ path: '/v1/passing', headers: [bearer(key)] })
    ).echo();
    expect(echo.headers).toContainEqual(bearer(key));
  });
});

/** As HTTP/2 has names. */
const lowerCase = (headers: HeaderPairs): HeaderPairs =>
  headers.map(([name, value]) => [name.toLowerCase(), value]);

const base64 = (text: string): string => Buffer.from(text, 'latin1').toString('base64');

const cookieOf = (echo: Echo): string | undefined =>
  echo.headers.find(([name]) => name === 'cookie')?.[1];

/** Neither the text nor the forms in which a client can write it. */
function expectNoTrace(body: string, text: string): void {
  const forms = [text, base64(text).slice(0, -4), encodeURIComponent(text)];
  expect(forms.filter((form) => body.includes(form))).toEqual([]);
}
