import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AskedCheck } from '../support/check-messages.ts';
import { basic } from '../support/e2e-credentials.ts';
import type { TestKey } from '../support/e2e-keys.ts';
import { type Stack, startStack } from '../support/e2e-stack.ts';
import { openWays, type Verdict, WAYS, type Way, type Ways } from '../support/e2e-ways.ts';
import { loadProtoOracle } from '../support/proto-oracle.ts';

/*
 * What a request can be made to look like, and who refuses it: by bytes straight to Check, through an Envoy without hardening,
 * through the reference configuration, each with headers one by one and joined. `upstream`: it passed. `envoy …`: Envoy
 * refused without asking, or would not carry out the answer. `latchkey … reason`: latchkey refused. latchkey must be safe alone:
 * no row may pass by Check because some Envoy would have stopped it.
 */

let stack: Stack;
let ways: Ways;
/** May read, and no more. */
let reader: TestKey;
let writer: TestKey;

beforeAll(async () => {
  stack = await startStack();
  ways = await openWays(stack);
  reader = await stack.keys.create();
  writer = await stack.keys.create({ scopes: ['write'] });
});
afterAll(() => stack?.stop());

/** The same verdict everywhere, or one per kind of way (`check`, `bare`, `reference`) or per way. */
type Expected =
  | Verdict
  | Partial<Record<Way | 'check' | 'bare' | 'reference' | 'raw' | 'map', Verdict>>;

function expectedOf(expected: Expected): Record<string, Verdict> {
  const verdictOf = (way: Way): Verdict => {
    if (typeof expected === 'string') return expected;
    const [kind, mode] = way.split(' ') as ['check' | 'bare' | 'reference', 'raw' | 'map'];
    return expected[way] ?? expected[kind] ?? expected[mode] ?? 'nothing was expected';
  };
  return Object.fromEntries(WAYS.map((way) => [way, verdictOf(way)]));
}

type Case = readonly [name: string, request: () => AskedCheck, expected: Expected];

function attacks(cases: readonly Case[]): void {
  it.each(cases)('%s', async (_name, request, expected) => {
    expect(await ways.askAll(request())).toEqual(expectedOf(expected));
  });
}

const AMBIGUOUS = 'latchkey 400 credential_ambiguous';
const MALFORMED = 'latchkey 401 credential_malformed';
const MISSING = 'latchkey 401 credential_missing';
const NO_KEY = 'latchkey 401 key_malformed';
const BAD_PATH = 'latchkey 400 path_malformed';
const ADMIN = 'latchkey 403 scope_missing';
const NOWHERE = 'latchkey 404 route_not_found';
const CROSS_SITE = 'latchkey 403 cross_site_request';
const ENVOY = 'envoy 400';

const read = (...headers: readonly (readonly [string, string])[]): AskedCheck => ({
  path: '/v1/read',
  headers,
});
const authorization = (value: string): readonly [string, string] => ['authorization', value];
const bearer = (key: TestKey) => authorization(`Bearer ${key.text}`);
const apiKey = (value: string): readonly [string, string] => ['x-api-key', value];
const cookie = (value: string): readonly [string, string] => ['cookie', value];
const asReader = (path: string): AskedCheck => ({ path, headers: [bearer(reader)] });

describe('row 3: two Authorization headers', () => {
  attacks([
    ['two keys', () => read(bearer(reader), bearer(writer)), AMBIGUOUS],
    ['the same key twice', () => read(bearer(reader), bearer(reader)), AMBIGUOUS],
    ['two schemes', () => read(bearer(reader), authorization(basic(`${reader.text}:`))), AMBIGUOUS],
    ['joined', () => read(authorization(`Bearer ${reader.text},Bearer ${writer.text}`)), AMBIGUOUS],
    ['joined, blank', () => read(authorization(`Bearer ${reader.text}, Bearer x`)), AMBIGUOUS],
    ['a comma in front', () => read(authorization(`,Bearer ${reader.text}`)), AMBIGUOUS],
    [
      'one of them empty: Envoy makes one of the two',
      () => read(authorization(''), bearer(reader)),
      { check: AMBIGUOUS, bare: 'upstream', reference: 'upstream' },
    ],
  ]);
});

describe('row 4: two X-API-Key', () => {
  attacks([
    ['two keys', () => read(apiKey(reader.text), apiKey(writer.text)), AMBIGUOUS],
    ['the same key twice', () => read(apiKey(reader.text), apiKey(reader.text)), AMBIGUOUS],
    ['a,b', () => read(apiKey(`${reader.text},${writer.text}`)), AMBIGUOUS],
    ['a, a', () => read(apiKey(`${reader.text}, ${reader.text}`)), AMBIGUOUS],
    ['one of them empty', () => read(apiKey(''), apiKey(reader.text)), AMBIGUOUS],
    ['a comma at the end', () => read(apiKey(`${reader.text},`)), AMBIGUOUS],
  ]);
});

describe('row 5: credentials in two places', () => {
  const queried = (...headers: readonly (readonly [string, string])[]): AskedCheck => ({
    path: `/v1/read?api_key=${reader.text}`,
    headers,
  });
  attacks([
    ['Bearer and X-API-Key', () => read(bearer(reader), apiKey(writer.text)), AMBIGUOUS],
    ['with the same key', () => read(bearer(reader), apiKey(reader.text)), AMBIGUOUS],
    ['Bearer and query', () => queried(bearer(reader)), AMBIGUOUS],
    ['Basic and query', () => queried(authorization(basic(`${reader.text}:`))), AMBIGUOUS],
    ['a bad one and a good one', () => read(bearer(reader), apiKey('x')), AMBIGUOUS],
    ['an empty parameter', () => ({ ...asReader('/v1/read?api_key=') }), AMBIGUOUS],
    [
      'all of them',
      () => queried(bearer(reader), apiKey(reader.text), cookie(`sid=${reader.text}`)),
      AMBIGUOUS,
    ],
    ['a good header beside a cookie', () => read(bearer(reader), cookie('sid=x')), 'upstream'],
    [
      'a bad header never falls back to a good cookie',
      () => read(authorization('Bearer x'), cookie(`sid=${reader.text}`)),
      'latchkey 401 key_foreign',
    ],
  ]);
});

describe('row 6: Authorization that says nothing', () => {
  const good = () => cookie(`sid=${reader.text}`);
  attacks([
    ['empty', () => read(authorization('')), MALFORMED],
    ['a scheme alone', () => read(authorization('Bearer')), MALFORMED],
    ['a scheme and blanks', () => read(authorization('Bearer  ')), MALFORMED],
    ['a tab for the blank', () => read(authorization(`Bearer\t${reader.text}`)), MALFORMED],
    ['an unknown scheme', () => read(authorization(`Digest ${reader.text}`)), MALFORMED],
    ['small letters', () => read(authorization(`bearer ${reader.text}`)), 'upstream'],
    ['capitals and blanks', () => read(authorization(`BEARER   ${reader.text}`)), 'upstream'],
    ['empty, beside a good cookie', () => read(authorization(''), good()), MALFORMED],
    ['a scheme alone, beside a good cookie', () => read(authorization('Basic'), good()), MALFORMED],
    ['an empty X-API-Key, beside a good cookie', () => read(apiKey(''), good()), MALFORMED],
    [
      'an empty parameter, beside a good cookie',
      () => ({ path: '/v1/read?api_key=', headers: [good()] }),
      MALFORMED,
    ],
  ]);
});

describe('row 7: keys of any length', () => {
  const odd = (length: number): string => `odd${'x'.repeat(length - 3)}`;
  attacks([
    ['1 byte', () => read(authorization('Bearer x')), 'latchkey 401 key_foreign'],
    ['255 bytes', () => read(apiKey('x'.repeat(255))), 'latchkey 401 key_foreign'],
    ['512 bytes, which could be a key', () => read(apiKey(odd(512))), 'latchkey 401 key_unknown'],
    ['513 bytes', () => read(apiKey(odd(513))), NO_KEY],
    ['8 KiB', () => read(authorization(`Bearer ${odd(8192)}`)), MALFORMED],
    ['8 KiB in the query', () => ({ path: `/v1/read?api_key=${odd(8192)}` }), NO_KEY],
    [
      '58 KiB',
      () => read(authorization(`Bearer ${odd(58 * 1024)}`)),
      { check: MALFORMED, bare: MALFORMED, reference: 'envoy 431' },
    ],
    [
      '60 KiB',
      () => read(apiKey(odd(60 * 1024))),
      { check: NO_KEY, bare: 'envoy 431', reference: 'envoy 431' },
    ],
  ]);

  it('what is too long is neither looked up nor logged', async () => {
    const found = () => stack.sidecar.metric('latchkey_lookups_total{outcome="absent"}');
    const before = await found();
    const canary = 'canary';
    for (const text of [odd(513), odd(8192)]) {
      await ways.askAll(read(apiKey(`${text}${canary}`)));
    }
    expect(await found()).toBe(before);
    expect(stack.sidecar.stdout().join('\n')).not.toContain(canary);
  });
});

describe('row 8: base64 that Buffer.from would take', () => {
  const encoded = () => Buffer.from(`${reader.text}:`).toString('base64');
  const basicOf = (text: string): AskedCheck => read(authorization(`Basic ${text}`));
  // A key of this length leaves one byte over: two characters, of which the second has four unused bits, and `==`.
  const otherBits = (text: string): string =>
    text.replace(/(.)==$/, (_, last: string) => `${last === 'g' ? 'h' : 'B'}==`);
  attacks([
    ['as it should be', () => basicOf(encoded()), 'upstream'],
    ['other characters in between', () => basicOf(encoded().replace('a', 'a!*')), MALFORMED],
    ['a blank in between', () => basicOf(encoded().replace('a', 'a ')), MALFORMED],
    ['without padding', () => basicOf(encoded().replace(/=*$/, '')), MALFORMED],
    ['more after it', () => basicOf(`${encoded()}AAAA`), MALFORMED],
    ['a word after it', () => basicOf(`${encoded()} x`), MALFORMED],
    ['more padding', () => basicOf(`${encoded()}====`), MALFORMED],
    [
      'characters of base64url',
      () => basicOf(Buffer.from('odd~~~???>>>:').toString('base64url')),
      MALFORMED,
    ],
    ['the example of the literature', () => basicOf('dXNl!!!cjpw*YXNz'), MALFORMED],
    ['bits beyond the last byte', () => basicOf(otherBits('b2RkOg==')), MALFORMED],
  ]);
});

describe('row 9: Basic with bytes that are no text', () => {
  const pair = (text: string): AskedCheck => read(authorization(basic(text)));
  attacks([
    ['no UTF-8', () => pair('\xff\xfe:'), NO_KEY],
    ['an overlong form', () => pair('\xc0\xaf:'), NO_KEY],
    ['a byte order mark', () => pair(`\xef\xbb\xbf${reader.text}:`), NO_KEY],
    ['CR', () => pair(`${reader.text}\r:`), NO_KEY],
    ['LF', () => pair(`${reader.text}\n:`), NO_KEY],
    ['NUL', () => pair(`${reader.text}\0:`), NO_KEY],
    ['DEL', () => pair(`${reader.text}\x7f:`), NO_KEY],
    ['no colon', () => pair(reader.text), MALFORMED],
    ['many colons', () => pair(`${reader.text}:::`), MALFORMED],
    ['a password', () => pair(`${reader.text}:secret`), MALFORMED],
    ['an empty user, the key as password', () => pair(`:${reader.text}`), MALFORMED],
    ['both empty', () => pair(':'), MALFORMED],
    ['nothing', () => pair(''), MALFORMED],
  ]);
});

describe('row 10: bytes that are no UTF-8, anywhere', () => {
  const passing = { check: 'upstream', bare: ENVOY, reference: ENVOY };
  const joinedMarks = { raw: NO_KEY, map: 'latchkey 401 key_checksum' };
  attacks([
    [
      'in other headers',
      () => read(bearer(reader), ['x-a', '\xff\xfe'], ['te', '\x80']),
      'upstream',
    ],
    ['in User-Agent', () => read(bearer(reader), ['user-agent', '\xc3\x28']), 'upstream'],
    ['in another cookie', () => read(bearer(reader), cookie('a=\xff')), 'upstream'],
    [
      'in the key: one byte more is another key',
      () => read(apiKey(`${reader.text}\xff`)),
      joinedMarks,
    ],
    ['in the query', () => asReader('/v1/read?a=\xff'), passing],
    ['in the path', () => asReader('/v1/\xff'), { check: BAD_PATH, bare: ENVOY, reference: ENVOY }],
    [
      'in the host',
      () => ({ ...asReader('/v1/read'), host: 'a\xff' }),
      { check: 'latchkey 400 host_malformed', bare: ENVOY, reference: ENVOY },
    ],
  ]);
});

/** A path that Envoy normalises in the reference configuration; latchkey, which cannot, refuses it. */
const normalised = (verdict: Verdict): Expected => ({
  check: BAD_PATH,
  bare: BAD_PATH,
  reference: verdict,
});
const refusedByReference: Expected = { check: BAD_PATH, bare: BAD_PATH, reference: ENVOY };
const refusedByEnvoy: Expected = { check: BAD_PATH, bare: ENVOY, reference: ENVOY };

describe('rows 11 to 14: no spelling of a path leads past its rule', () => {
  const cases: readonly (readonly [path: string, expected: Expected])[] = [
    ['/v1/admin', ADMIN],
    // Row 11
    ['//v1/admin', normalised(ADMIN)],
    ['/v1//admin', normalised(ADMIN)],
    ['///', normalised('upstream')],
    ['/v1/./admin', normalised(ADMIN)],
    ['/v1/none/../admin', normalised(ADMIN)],
    ['/v1/none/x/../../admin', normalised(ADMIN)],
    // Row 12
    ['/v1/none/%2e%2e/admin', normalised(ADMIN)],
    ['/v1/none/.%2E/admin', normalised(ADMIN)],
    ['/%2e/v1/admin', normalised(ADMIN)],
    ['/v1/none%2f..%2fadmin', refusedByReference],
    ['/v1/none%2Fadmin', refusedByReference],
    ['/v1/none%5c..%5cadmin', refusedByReference],
    ['/v1/none\\..\\admin', normalised(ADMIN)],
    ['/v1/none/%00', refusedByReference],
    ['/v1/admin%00', refusedByReference],
    ['/v1/%61dmin', ADMIN],
    ['/v1/%2561dmin', BAD_PATH],
    ['/v1/none/%252e%252e/admin', BAD_PATH],
    ['/v1/none/%25%32%65', BAD_PATH],
    ['/v1/none/%zz', BAD_PATH],
    ['/v1/none/%', BAD_PATH],
    ['/v1/none/%2', BAD_PATH],
    ['/v1/none/%u002e', BAD_PATH],
    ['/v1/none/%c0%af', BAD_PATH],
    ['/v1/none/%c0%ae%c0%ae/admin', BAD_PATH],
    ['/v1/none/%ff', BAD_PATH],
    ['/v1/admin%3fx', NOWHERE],
    ['/v1/admin%23', NOWHERE],
    // Row 13
    ['/v1/admin;x=1', BAD_PATH],
    ['/v1/admin;/..', normalised(NOWHERE)],
    ['/v1/none;/../admin', normalised(ADMIN)],
    ['/v1/none/..;/admin', normalised(ADMIN)],
    ['/v1/none/;x', BAD_PATH],
    ['/v1/none/%3bx', BAD_PATH],
    // Row 14
    ['/V1/Admin', NOWHERE],
    ['/v1/admin/', ADMIN],
    ['/v1/read/', NOWHERE],
    ['/v1/admin.', NOWHERE],
    ['/v1/admin?x', ADMIN],
    ['/v1/admin?', ADMIN],
    ['/v1/read?/../none', 'upstream'],
    ['/v1/admin#x', refusedByEnvoy],
    ['/v1/none#/../admin', refusedByEnvoy],
    ['/v1/none/\x01', refusedByEnvoy],
    ['/v1/none/a b', refusedByEnvoy],
    ['http://localhost/v1/admin', { check: BAD_PATH, bare: ADMIN, reference: ADMIN }],
    ['http://open.example.com/v1/admin', { check: BAD_PATH, bare: ADMIN, reference: ADMIN }],
    ['*', refusedByEnvoy],
    ['v1/read', refusedByEnvoy],
    ['', { check: 'latchkey 400 check_request_malformed', bare: ENVOY, reference: ENVOY }],
  ];
  attacks(cases.map(([path, expected]) => [JSON.stringify(path), () => asReader(path), expected]));

  it.each(['OPTIONS * HTTP/1.1', 'CONNECT localhost:80 HTTP/1.1'])(
    '%s reaches nobody',
    async (line) => {
      for (const envoy of Object.values(ways.envoys)) {
        const before = envoy.upstream.requests();
        const response = await envoy.rawRequest(`${line}\r\nhost: localhost:80\r\n\r\n`);
        expect(response.status).toBe(404);
        expect(envoy.upstream.requests()).toBe(before);
      }
    },
  );
});

describe('row 16: methods', () => {
  const method = (name: string, path = '/v1/read'): AskedCheck => ({
    ...asReader(path),
    method: name,
  });
  const NOT_ALLOWED = 'latchkey 405 method_not_allowed';
  const UNKNOWN = { check: NOT_ALLOWED, bare: ENVOY, reference: ENVOY };
  const NO_METHOD = { check: 'latchkey 400 method_malformed', bare: ENVOY, reference: ENVOY };
  attacks([
    ['get', () => method('get'), UNKNOWN],
    ['GETX', () => method('GETX'), UNKNOWN],
    ['CONNECT', () => method('CONNECT'), UNKNOWN],
    ['TRACE', () => method('TRACE'), NOT_ALLOWED],
    ['PROPFIND', () => method('PROPFIND'), NOT_ALLOWED],
    ['POST on a rule for GET', () => method('POST'), NOT_ALLOWED],
    ['no token', () => method('G@T'), NO_METHOD],
    ['33 letters', () => method('X'.repeat(33)), NO_METHOD],
    ['a preflight that no rule admits', () => method('OPTIONS'), NOT_ALLOWED],
    ['a preflight that a rule admits', () => method('OPTIONS', '/v1/preflight'), 'upstream'],
    [
      'a method by another header or parameter',
      () => ({
        path: '/v1/items/1?_method=GET',
        method: 'PATCH',
        headers: [bearer(reader), ['x-http-method-override', 'GET'], ['x-method-override', 'GET']],
      }),
      NOT_ALLOWED,
    ],
  ]);

  it('a preflight that is admitted brings no principal along', async () => {
    const headers = [bearer(reader), ['x-principal-id', 'evil'] as const];
    const envoy = ways.envoys['reference raw'];
    const response = await envoy.request({ path: '/v1/preflight', method: 'OPTIONS', headers });
    expect(response.body).not.toMatch(/x-principal|x-credential|x-auth-method/);
  });
});

describe('row 17: hosts', () => {
  const hosted = (host: string): AskedCheck => ({ path: '/hosted', host });
  const NO_HOST = 'latchkey 400 host_malformed';
  attacks([
    ['small letters', () => hosted('open.example.com'), 'upstream'],
    ['capitals', () => hosted('OPEN.Example.COM'), 'upstream'],
    ['a port', () => hosted('open.example.com:8080'), 'upstream'],
    ['a dot at the end', () => hosted('open.example.com.'), 'upstream'],
    ['both', () => hosted('open.example.com.:80'), 'upstream'],
    ['another name', () => hosted('admin.example.com'), MISSING],
    ['a name below', () => hosted('x.open.example.com'), MISSING],
    ['the parent', () => hosted('example.com'), NOWHERE],
    ['two dots', () => hosted('open.example.com..'), NOWHERE],
    ['a user', () => hosted('open.example.com@admin.example.com'), NO_HOST],
    ['a list', () => hosted('open.example.com,admin.example.com'), NO_HOST],
    ['half an address', () => hosted('[::1'), NO_HOST],
    [
      'a slash',
      () => hosted('open.example.com/'),
      { check: NO_HOST, bare: ENVOY, reference: ENVOY },
    ],
  ]);

  it('the fields count, not the pseudo-headers among the headers', async () => {
    const request = {
      path: '/v1/admin',
      headers: [
        [':path', '/v1/none/x'],
        [':method', 'OPTIONS'],
        [':authority', 'open.example.com'],
        bearer(reader),
      ] as const,
    };
    expect(await ways.ask('check raw', request)).toBe(ADMIN);
    expect(await ways.ask('check map', request)).toBe(ADMIN);
  });
});

describe('row 18: what is no request, and upgrades', () => {
  const oracle = loadProtoOracle();
  it.each<readonly [string, Buffer]>([
    ['no bytes', Buffer.alloc(0)],
    ['no attributes', oracle.encodeRequest({})],
    ['empty attributes', oracle.encodeRequest({ attributes: {} })],
    ['no http', oracle.encodeRequest({ attributes: { request: {} } })],
    ['empty http', oracle.encodeRequest({ attributes: { request: { http: {} } } })],
    [
      'no path',
      oracle.encodeRequest({ attributes: { request: { http: { method: 'GET', host: 'a' } } } }),
    ],
    [
      'a rule alone',
      oracle.encodeRequest({ attributes: { context_extensions: { rule: 'none' } } }),
    ],
    ['half a message', Buffer.from([0x0a, 0x7f])],
  ])('%s: an explicit refusal', async (_name, bytes) => {
    expect(await ways.check(bytes)).toBe('latchkey 400 check_request_malformed');
  });

  attacks([
    [
      'an upgrade without a credential',
      () => read(['connection', 'upgrade'], ['upgrade', 'websocket']),
      MISSING,
    ],
  ]);

  it('gRPC-web without a credential', async () => {
    const request = {
      path: '/echo.Echo/Echo',
      method: 'POST',
      headers: [['content-type', 'application/grpc-web+proto'] as const],
    };
    expect(await ways.ask('check raw', request)).toBe(MISSING);
    for (const envoy of Object.values(ways.envoys)) {
      const response = await envoy.request(request);
      expect([response.status, response.header('grpc-status')]).toEqual([401, '16']);
    }
  });
});

describe('row 19: many headers, long headers, names that JavaScript knows', () => {
  const many = (count: number): AskedCheck =>
    read(
      bearer(reader),
      ...Array.from({ length: count - 1 }, (_, index) => [`x-${index}`, '1'] as const),
    );
  const cookies = Array.from({ length: 5000 }, (_, index) => `c${index}=1`).join('; ');
  attacks([
    ['85 headers', () => many(85), 'upstream'],
    // With what Envoy and latchkey add it is more than Envoy lets through.
    [
      '97 headers',
      () => many(97),
      { check: 'upstream', bare: 'envoy 500', reference: 'envoy 500' },
    ],
    [
      '101 headers',
      () => many(101),
      { check: 'upstream', bare: 'envoy 431', reference: 'envoy 431' },
    ],
    [
      '1000 headers',
      () => many(1000),
      { check: 'upstream', bare: 'envoy 431', reference: 'envoy 431' },
    ],
    [
      'a header of 56 KiB',
      () => read(bearer(reader), ['x', 'x'.repeat(56 * 1024)]),
      { check: 'upstream', bare: 'upstream', reference: 'envoy 431' },
    ],
    [
      'a header of 60 KiB',
      () => read(bearer(reader), ['x', 'x'.repeat(60 * 1024)]),
      { check: 'upstream', bare: 'envoy 431', reference: 'envoy 431' },
    ],
    [
      '5000 cookies, one of them the key',
      () => read(cookie(`${cookies}; sid=${reader.text}`)),
      { check: 'upstream', bare: 'upstream', reference: 'envoy 431' },
    ],
    [
      'headers of these names',
      () => read(bearer(reader), ['__proto__', 'x'], ['constructor', 'x'], ['toString', 'x']),
      { check: 'upstream', bare: 'upstream', reference: ENVOY },
    ],
    ['a cookie', () => read(cookie(`__proto__=1; constructor=2; sid=${reader.text}`)), 'upstream'],
    ['a parameter', () => ({ path: `/v1/read?__proto__=1&api_key=${reader.text}` }), 'upstream'],
  ]);
});

describe('row 20: the query parameter', () => {
  const query = (text: string): AskedCheck => ({
    path: `/v1/read?${text.replaceAll('KEY', reader.text)}`,
  });
  const ESCAPED = 'latchkey 400 credential_escaped';
  const cases: readonly (readonly [text: string, expected: Expected])[] = [
    ['api_key=KEY', 'upstream'],
    ['&&a=1&api_key=KEY&', 'upstream'],
    ['api_key=KEY&api_key=KEY', AMBIGUOUS],
    ['api_key=KEY&api_key=', AMBIGUOUS],
    ['api%5Fkey=KEY&api_key=KEY', AMBIGUOUS],
    ['api%5Fkey=KEY', ESCAPED],
    ['%61pi_key=KEY', ESCAPED],
    ['API_KEY=KEY', MISSING],
    ['api_key[]=KEY', MISSING],
    ['x=1;api_key=KEY', MISSING],
    ['?api_key=KEY', MISSING],
    ['api_key=KEY;x=1', 'latchkey 401 key_checksum'],
    ['api_key=%2BKEY', 'latchkey 401 key_foreign'],
    ['api_key=+KEY', NO_KEY],
    ['api_key=KEY%20', NO_KEY],
    ['api_key=KEY%00', NO_KEY],
    ['api_key=KEY%2', MALFORMED],
    ['api_key', MALFORMED],
    ['api_key=KEY&x=%zz', 'upstream'],
    ['%zz=1&api_key=KEY', 'upstream'],
  ];
  attacks(cases.map(([text, expected]) => [text, () => query(text), expected]));

  it('no query is logged, whatever is in it', async () => {
    const canary = 'canary-in-the-query';
    for (const text of [`api_key=${canary}`, `api%5Fkey=${canary}`, canary, `x=1;${canary}`]) {
      await ways.askAll(query(text));
    }
    expect(stack.sidecar.stdout().join('\n')).not.toContain(canary);
  });
});

describe('row 21: cookies', () => {
  const withKey = (text: string): AskedCheck => read(cookie(text.replaceAll('KEY', reader.text)));
  const CHECKSUM = 'latchkey 401 key_checksum';
  const cases: readonly (readonly [text: string, expected: Expected])[] = [
    ['a=1; sid=KEY; b=2', 'upstream'],
    ['sid=KEY; sid=KEY', AMBIGUOUS],
    ['sid=KEY; sid =x', AMBIGUOUS],
    ['sid=KEY; sid=', AMBIGUOUS],
    ['sid="KEY"', NO_KEY],
    ['sid=KEY=', CHECKSUM],
    ['__Host-sid=KEY', MISSING],
    ['SID=KEY', MISSING],
    ['$sid=KEY', MISSING],
    ['sid', MISSING],
    ['sid=', MALFORMED],
    [`sid=${'x'.repeat(5000)}`, NO_KEY],
  ];
  attacks([
    ...cases.map(([text, expected]): Case => [text.slice(0, 40), () => withKey(text), expected]),
    [
      'two lines, both with the key',
      () => read(cookie(`sid=${reader.text}`), cookie(`sid=${reader.text}`)),
      // Joined by a comma, the two are one that is no key.
      { raw: AMBIGUOUS, map: NO_KEY },
    ],
    [
      'two lines, one with the key',
      () => read(cookie('a=1'), cookie(`sid=${reader.text}`)),
      { raw: 'upstream', map: MISSING },
    ],
  ]);
});

describe('row 22: a cookie on a request that another site makes the browser send', () => {
  const post = (...headers: readonly (readonly [string, string])[]): AskedCheck => ({
    path: '/v1/write',
    method: 'POST',
    headers: [cookie(`sid=${writer.text}`), ...headers],
  });
  const site = (value: string): readonly [string, string] => ['sec-fetch-site', value];
  const origin = (value: string): readonly [string, string] => ['origin', value];
  attacks([
    ['no browser', () => post(), 'upstream'],
    ['same-origin', () => post(site('same-origin')), 'upstream'],
    ['none', () => post(site('none')), 'upstream'],
    ['cross-site', () => post(site('cross-site')), CROSS_SITE],
    ['same-site', () => post(site('same-site')), CROSS_SITE],
    ['an unknown word', () => post(site('Same-Origin')), CROSS_SITE],
    ['an empty word', () => post(site('')), CROSS_SITE],
    ['two words', () => post(site('same-origin'), site('cross-site')), CROSS_SITE],
    ['a public origin', () => post(origin('https://app.example.com')), 'upstream'],
    ['null', () => post(origin('null')), CROSS_SITE],
    ['a strange origin', () => post(origin('https://evil.example')), CROSS_SITE],
    ['without TLS', () => post(origin('http://app.example.com')), CROSS_SITE],
    ['a dot at the end', () => post(origin('https://app.example.com.')), CROSS_SITE],
    [
      'two origins',
      () => post(origin('https://app.example.com'), origin('https://evil.example')),
      CROSS_SITE,
    ],
    [
      'an upgrade by GET',
      () =>
        read(
          cookie(`sid=${reader.text}`),
          site('cross-site'),
          ['connection', 'upgrade'],
          ['upgrade', 'websocket'],
        ),
      CROSS_SITE,
    ],
    [
      'a link, which changes nothing',
      () => read(cookie(`sid=${reader.text}`), site('cross-site')),
      'upstream',
    ],
    [
      'a header credential is exempt',
      () => ({ path: '/v1/write', method: 'POST', headers: [bearer(writer), site('cross-site')] }),
      'upstream',
    ],
  ]);
});

it('after all of it the sidecar is well, and has seen no fault', async () => {
  expect(await ways.ask('reference raw', asReader('/v1/read'))).toBe('upstream');
  expect(await stack.sidecar.metric('latchkey_faults_total')).toBe(0);
  expect((await stack.sidecar.readyz()).state).toBe('ready');
  expect(stack.sidecar.stderr()).toEqual([]);
});
