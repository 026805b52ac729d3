import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  apiKey,
  asReader,
  BAD_PATH,
  bearer,
  type Expected,
  expectedVerdicts,
  MISSING,
  NO_SCOPE,
  PASSES,
  READER,
  read,
  WRITER,
} from '../support/e2e-attack.ts';
import { type Stack, startStack } from '../support/e2e-stack.ts';
import { openWays, type Ways } from '../support/e2e-ways.ts';
import { envoyVersion } from '../support/envoy.ts';
import { isAtLeast } from '../support/envoy-releases.ts';
import { loadProtoOracle } from '../support/proto-oracle.ts';
import { CREDENTIAL_ROWS } from './attack-rows/credentials.ts';
import { MASS_AND_BROWSER_ROWS } from './attack-rows/masses-and-browsers.ts';
import { TARGET_ROWS } from './attack-rows/targets.ts';

/*
 * What a request can be made to look like, and who refuses it: as bytes straight to Check, through an Envoy without hardening,
 * through the reference configuration, each with headers one by one and joined. latchkey has to be safe by itself: nothing may
 * pass by Check because some Envoy would have stopped it. Rows 1, 2 and 15 are in spoofing.test.ts.
 */

/**
 * `..;` as Envoy resolves it since these releases of each line (CVE-2026-73511). To those before it is a segment like any other,
 * which latchkey then refuses.
 */
const PARAMETERS_RESOLVED_SINCE = ['1.36.10', '1.37.6', '1.38.4', '1.39.1'];
const BEFORE: ReadonlyMap<string, Expected> = new Map([['"/v1/none/..;/admin"', BAD_PATH]]);

let stack: Stack;
let ways: Ways;
let otherwise: ReadonlyMap<string, Expected>;

beforeAll(async () => {
  stack = await startStack();
  await stack.keys.importText(READER);
  await stack.keys.importText(WRITER, { scopes: ['write'] });
  ways = await openWays(stack);
  otherwise = isAtLeast(await envoyVersion(), PARAMETERS_RESOLVED_SINCE) ? new Map() : BEFORE;
});
afterAll(() => stack?.stop());

describe.each([...CREDENTIAL_ROWS, ...TARGET_ROWS, ...MASS_AND_BROWSER_ROWS])(
  'row $title',
  ({ attacks }) => {
    it.each(attacks)('%s', async (name, request, expected) => {
      const here = otherwise.get(name) ?? expected;
      expect(await ways.askAll(request)).toEqual(expectedVerdicts(here));
    });
  },
);

describe('what a client sends as a credential', () => {
  const canary = 'canary0123456789';

  it('is not looked up when it is too long', async () => {
    const lookups = () => stack.sidecar.metric('latchkey_lookups_total{outcome="absent"}');
    const before = await lookups();
    for (const length of [513, 8192]) await ways.askAll(read(apiKey(`odd${'x'.repeat(length)}`)));
    expect(await lookups()).toBe(before);
    // The same without the length.
    await ways.askAll(read(apiKey('odd-and-short')));
    expect(await lookups()).toBeGreaterThan(before);
  });

  it.each([
    ['in a header', read(apiKey(canary))],
    ['in a header, too long', read(apiKey(`odd${'x'.repeat(8192)}${canary}`))],
    ['in the query', { path: `/v1/read?api_key=${canary}` }],
    ['in the query, escaped', { path: `/v1/read?api%5Fkey=${canary}` }],
    ['in the query, where nobody looks', { path: `/v1/read?x=1;api_key=${canary}` }],
    ['in a cookie', read(['cookie', `sid=${canary}`])],
  ])('is not logged: %s', async (_where, request) => {
    await ways.askAll(request);
    const lines = [...stack.sidecar.stdout(), ...stack.sidecar.stderr()];
    for (const envoy of Object.values(ways.envoys)) lines.push(...envoy.log());
    expect(lines.filter((line) => line.includes(canary))).toEqual([]);
  });
});

it.each(['OPTIONS *', 'CONNECT localhost:80'])('row 14: %s reaches nobody', async (line) => {
  for (const envoy of Object.values(ways.envoys)) {
    const before = envoy.upstream.requests();
    const response = await envoy.rawRequest(`${line} HTTP/1.1\r\nhost: localhost:80\r\n\r\n`);
    expect(response.status).toBe(404);
    expect(envoy.upstream.requests()).toBe(before);
  }
});

it('row 16: a preflight that is admitted brings no principal along', async () => {
  const headers = [bearer(READER), ['x-principal-id', 'evil'] as const];
  for (const envoy of Object.values(ways.envoys)) {
    const response = await envoy.request({ path: '/v1/preflight', method: 'OPTIONS', headers });
    expect(response.status).toBe(200);
    expect(response.body).not.toMatch(/x-principal|x-credential|x-auth-method/);
  }
});

it('row 17: the fields of the request count, not pseudo-headers among its headers', async () => {
  const { path = '', headers = [] } = asReader('/v1/admin');
  const others = [
    [':path', '/v1/none/x'],
    [':method', 'OPTIONS'],
    [':authority', 'open.example.com'],
  ] as const;
  const request = { path, headers: [...others, ...headers] };
  expect(await ways.ask('check raw', request)).toBe(NO_SCOPE);
  expect(await ways.ask('check map', request)).toBe(NO_SCOPE);
});

describe('row 18: what is no request is refused explicitly', () => {
  const { encodeRequest } = loadProtoOracle();
  const http = { method: 'GET', host: 'localhost' };

  it.each<readonly [string, Buffer]>([
    ['no bytes', Buffer.alloc(0)],
    ['half a message', Buffer.from([0x0a, 0x7f])],
    ['no attributes', encodeRequest({})],
    ['empty attributes', encodeRequest({ attributes: {} })],
    ['no http', encodeRequest({ attributes: { request: {} } })],
    ['empty http', encodeRequest({ attributes: { request: { http: {} } } })],
    ['no path', encodeRequest({ attributes: { request: { http } } })],
    ['a rule alone', encodeRequest({ attributes: { context_extensions: { rule: 'none' } } })],
  ])('%s', async (_name, bytes) => {
    expect(await ways.check(bytes)).toBe('latchkey 400 check_request_malformed');
  });

  it('an upgrade without a credential', async () => {
    const upgrade = read(['connection', 'upgrade'], ['upgrade', 'websocket']);
    expect(await ways.askAll(upgrade)).toEqual(expectedVerdicts(MISSING));
  });

  it('gRPC-web without a credential: refused in words that its clients read', async () => {
    const type = ['content-type', 'application/grpc-web+proto'] as const;
    const request = { path: '/echo.Echo/Echo', method: 'POST', headers: [type] };
    expect(await ways.ask('check raw', request)).toBe(MISSING);
    for (const envoy of Object.values(ways.envoys)) {
      const response = await envoy.request(request);
      expect([response.status, response.header('grpc-status')]).toEqual([401, '16']);
    }
  });
});

it('after all of it the sidecar is well and has seen no fault', async () => {
  expect(await ways.askAll(asReader('/v1/read'))).toEqual(expectedVerdicts(PASSES));
  expect(await stack.sidecar.metric('latchkey_faults_total')).toBe(0);
  expect(await stack.sidecar.readyz()).toEqual({ status: 200, state: 'ready' });
  expect(stack.sidecar.stderr()).toEqual([]);
});
