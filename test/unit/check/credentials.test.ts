import { describe, expect, it } from 'vitest';
import { memoryOf, policyOf, subject, tell, verdict } from '../../support/story.ts';

const policy = policyOf(`
version: 1
credentials:
  bearer: { type: bearer }
  header_key: { type: api_key, in: header, name: X-API-Key }
  basic: { type: basic, accept: [key_as_username] }
  query_key: { type: api_key, in: query, name: api_key }
  cookie_key: { type: api_key, in: cookie, name: sid }
key_format: { prefix: lk, separator: _, environments: [live, test], also_accept: [k_] }
public_origins: [https://app.example.com]
routes:
  - { name: all, match: { path: /all }, scopes: [read] }
  - { name: bearer-only, match: { path: /bearer }, accept: [bearer], scopes: [read] }
  - { name: optional, match: { path: /optional }, auth: optional }
  - { name: open, match: { path: /open }, auth: none }
  - { name: hidden, match: { path: /hidden }, scopes: [read], hide: true }
`);
const keys = { k_reader: subject(), k_gone: 'absent' as const };
const memory = memoryOf(policy, keys);
const basic = (text: string) => `Basic ${Buffer.from(text, 'latin1').toString('base64')}`;

type Headers = Record<string, string | readonly string[]>;
const ask = (headers: Headers, path = '/all', method = 'GET') =>
  verdict(tell({ policy, memory }, { path, headers, method }));

describe('a credential in each place that the policy names', () => {
  it.each<[string, Headers, string]>([
    ['bearer', { authorization: 'Bearer k_reader' }, '/all'],
    ['bearer, scheme in any case', { authorization: 'bEARER k_reader' }, '/all'],
    ['bearer, several spaces', { authorization: 'Bearer   k_reader' }, '/all'],
    ['header', { 'x-api-key': 'k_reader' }, '/all'],
    ['basic with the key as username', { authorization: basic('k_reader:') }, '/all'],
    ['query', {}, '/all?a=1&api_key=k_reader'],
    ['query with an escaped value', {}, '/all?api_key=k%5Freader'],
    ['cookie', { cookie: 'a=b; sid=k_reader; c=d' }, '/all'],
    ['cookie of several lines', { cookie: ['a=b', 'sid=k_reader'] }, '/all'],
  ])('%s is read', (_name, headers, path) => {
    expect(ask(headers, path)).toBe('200');
  });
});

describe('one request, one credential: anything else is 400, never the first or the last', () => {
  it.each<[string, Headers, string]>([
    ['two Authorization lines', { authorization: ['Bearer k_reader', 'Bearer k_reader'] }, '/all'],
    [
      'two Authorization lines joined',
      { authorization: 'Bearer k_reader,Bearer k_reader' },
      '/all',
    ],
    ['joined with an empty first line', { authorization: ',Bearer k_reader' }, '/all'],
    [
      'an unknown scheme joined with a known one',
      { authorization: 'Digest x,Bearer k_reader' },
      '/all',
    ],
    ['two X-API-Key lines', { 'x-api-key': ['k_reader', 'k_gone'] }, '/all'],
    ['X-API-Key joined', { 'x-api-key': 'k_reader,k_reader' }, '/all'],
    ['X-API-Key joined with a blank', { 'x-api-key': 'k_reader, k_reader' }, '/all'],
    [
      'Bearer and X-API-Key, the same key',
      { authorization: 'Bearer k_reader', 'x-api-key': 'k_reader' },
      '/all',
    ],
    ['Basic and X-API-Key', { authorization: basic('k_reader:'), 'x-api-key': 'k_reader' }, '/all'],
    ['Bearer and the query', { authorization: 'Bearer k_reader' }, '/all?api_key=k_reader'],
    [
      'a second place that the route does not take',
      { authorization: 'Bearer k_reader', 'x-api-key': 'k' },
      '/bearer',
    ],
    ['the parameter twice', {}, '/all?api_key=k_reader&api_key=k_gone'],
    ['the parameter twice, once escaped', {}, '/all?api_key=k_reader&api%5Fkey=k_reader'],
    ['two cookies of the name', { cookie: 'sid=k_reader; sid=k_gone' }, '/all'],
    ['two cookie lines with the name', { cookie: ['sid=k_reader', 'sid=k_reader'] }, '/all'],
    ['a blank before the equals sign', { cookie: 'sid=k_reader; sid =k_gone' }, '/all'],
  ])('%s', (_name, headers, path) => {
    expect(ask(headers, path)).toBe('400 credential_ambiguous');
  });

  it('refuses an escaped spelling of the parameter, which Envoy could not strip', () => {
    expect(ask({}, '/all?api%5Fkey=k_reader')).toBe('400 credential_escaped');
  });
});

describe('what cannot be read as a credential is 401, without falling through to another place', () => {
  it.each<[string, Headers, string]>([
    ['empty Authorization', { authorization: '' }, '401 credential_malformed'],
    ['scheme alone', { authorization: 'Bearer' }, '401 credential_malformed'],
    ['scheme and blanks', { authorization: 'Bearer   ' }, '401 credential_malformed'],
    ['scheme and a tab', { authorization: 'Bearer\tk_reader' }, '401 credential_malformed'],
    ['unknown scheme', { authorization: 'Digest username="x"' }, '401 credential_malformed'],
    [
      'unknown scheme with a list of its own',
      { authorization: 'Digest a="1", b="2"' },
      '401 credential_malformed',
    ],
    [
      'empty Authorization beside a good cookie',
      { authorization: '', cookie: 'sid=k_reader' },
      '401 credential_malformed',
    ],
    [
      'a bad key beside a good cookie',
      { authorization: 'Bearer k_gone', cookie: 'sid=k_reader' },
      '401 key_unknown',
    ],
    ['blank inside', { authorization: 'Bearer k_reader k_reader' }, '401 key_malformed'],
    ['non-ASCII', { authorization: 'Bearer k_r\u00e9ader' }, '401 key_malformed'],
    ['empty X-API-Key', { 'x-api-key': '' }, '401 credential_malformed'],
    ['nothing at all', {}, '401 credential_missing'],
    ['a cookie of another name', { cookie: '__Host-sid=k_reader' }, '401 credential_missing'],
    ['a quoted cookie', { cookie: 'sid="k_reader"' }, '401 key_malformed'],
    ['an empty cookie', { cookie: 'sid=' }, '401 credential_malformed'],
    [
      'map mode joins cookie lines by a comma',
      { cookie: 'sid=k_reader,sid=k_gone' },
      '401 key_malformed',
    ],
    ['a 5 KB cookie', { cookie: `sid=k_${'a'.repeat(5000)}` }, '401 key_malformed'],
  ])('%s', (_name, headers, expected) => {
    expect(ask(headers)).toBe(expected);
  });

  it.each<[string, string]>([
    ['not base64', 'Basic dXNl!!!cjpw*YXNz'],
    ['no padding', 'Basic a19yZWFkZXI6Cg'],
    ['url-safe alphabet', 'Basic a19-ZWFk_XI6'],
    ['a line break', `${basic('k_reader:').slice(0, 12)}\n${basic('k_reader:').slice(12)}`],
    ['trailing garbage', `${basic('k_reader:')}x`],
    ['padding bits set', 'Basic a19yZWFkZXI6=='],
    ['no colon', basic('k_reader')],
    ['many colons', basic('k_reader::')],
    ['empty user', basic(':')],
    ['a password', basic('k_reader:secret')],
  ])('Basic: %s', (_name, authorization) => {
    expect(ask({ authorization })).toBe('401 credential_malformed');
  });

  it.each([
    'k_re\u0000ader',
    'k_reader\r',
    'k_reader\n',
    'k_reader\u007f',
    '\u00ef\u00bb\u00bfk_reader',
    'k_\u00c0\u00af',
  ])('Basic: control characters and bytes beyond ASCII in the user-id (%j)', (user) => {
    expect(ask({ authorization: basic(`${user}:`) })).toMatch(/^401 key_(malformed|foreign)$/);
  });

  it.each([1, 255, 8 * 1024, 60 * 1024])('a key of %i bytes', (length) => {
    const text = `Bearer ${'k_'.padEnd(length, 'a')}`.slice(0, length + 7);
    const outcome = ask({ authorization: text });
    // 255 bytes could be a key: memory cannot say. Longer ones are refused unread.
    expect(outcome).toMatch(length === 255 ? /^need$/ : /^401 /);
  });

  it('never asks memory for a text that cannot be a key', () => {
    const fresh = memoryOf(policy, keys);
    for (const text of ['', 'x', 'lk_live_short', 'a'.repeat(600), `lk_live_${'A'.repeat(46)}`]) {
      tell(
        { policy, memory: fresh },
        { path: '/all', headers: { authorization: `Bearer ${text}` } },
      );
    }
    expect(fresh.asked).toEqual([]);
  });
});

describe('where a route takes only some places', () => {
  it.each<[string, Headers]>([
    ['X-API-Key', { 'x-api-key': 'k_reader' }],
    ['Basic', { authorization: basic('k_reader:') }],
    ['a cookie', { cookie: 'sid=k_reader' }],
  ])('a good key by %s is refused', (_name, headers) => {
    expect(ask(headers, '/bearer')).toBe('401 credential_not_accepted');
  });

  it('a parameter that no policy names is ignored', () => {
    expect(ask({ authorization: 'Bearer k_reader' }, '/all?API_KEY=x&api_key[]=y')).toBe('200');
  });
});

describe('optional authentication', () => {
  it.each<[string, Headers, string]>([
    ['no credential is anonymous', {}, '200'],
    ['a good key', { authorization: 'Bearer k_reader' }, '200'],
    ['a bad key', { authorization: 'Bearer k_gone' }, '401 key_unknown'],
    ['a broken header', { authorization: 'Bearer' }, '401 credential_malformed'],
    ['a bad cookie is anonymous', { cookie: 'sid=k_gone' }, '200'],
    ['a doubled cookie is anonymous', { cookie: 'sid=a; sid=b' }, '200'],
  ])('%s', (_name, headers, expected) => {
    expect(ask(headers, '/optional')).toBe(expected);
  });

  it('none does not look at credentials at all', () => {
    expect(ask({ authorization: 'Bearer k_gone', 'x-api-key': 'x' }, '/open')).toBe('200');
  });
});

describe('a cookie that a foreign page makes the browser send', () => {
  const cookie = 'sid=k_reader';
  it.each<[string, string, Headers, string]>([
    ['safe method', 'GET', { 'sec-fetch-site': 'cross-site' }, '200'],
    ['no browser', 'POST', {}, '200'],
    ['same origin', 'POST', { 'sec-fetch-site': 'same-origin' }, '200'],
    ['typed address', 'POST', { 'sec-fetch-site': 'none' }, '200'],
    ['foreign site', 'POST', { 'sec-fetch-site': 'cross-site' }, '403 cross_site_request'],
    ['neighbour site', 'POST', { 'sec-fetch-site': 'same-site' }, '403 cross_site_request'],
    ['public origin', 'POST', { origin: 'https://app.example.com' }, '200'],
    [
      'public origin of another site',
      'POST',
      { 'sec-fetch-site': 'same-site', origin: 'https://app.example.com' },
      '200',
    ],
    ['foreign origin', 'POST', { origin: 'https://evil.example' }, '403 cross_site_request'],
    ['null origin', 'POST', { origin: 'null' }, '403 cross_site_request'],
    [
      'upgrade from a foreign site',
      'GET',
      { upgrade: 'websocket', origin: 'https://evil.example' },
      '403 cross_site_request',
    ],
  ])('%s', (_name, method, headers, expected) => {
    expect(ask({ ...headers, cookie }, '/all', method)).toBe(expected);
  });

  it('is no matter where the key comes in a header', () => {
    const headers = { authorization: 'Bearer k_reader', 'sec-fetch-site': 'cross-site' };
    expect(ask(headers, '/all', 'POST')).toBe('200');
  });
});

describe('a hidden route', () => {
  it.each<[string, Headers, string]>([
    ['no credential', {}, 'GET'],
    ['a bad key', { authorization: 'Bearer k_gone' }, 'GET'],
    ['an ambiguous credential', { authorization: 'Bearer a,Bearer b' }, 'GET'],
    ['another method', {}, 'TRACE'],
  ])('answers byte for byte as an unmatched path: %s', (_name, headers, method) => {
    const unmatched = tell({ policy, memory }, { path: '/nowhere', method });
    const hidden = tell({ policy, memory }, { path: '/hidden', method, headers });
    if (unmatched.kind === 'need' || hidden.kind === 'need') throw new Error('memory must know');
    expect({ ...hidden.answer, metadata: [] }).toEqual({ ...unmatched.answer, metadata: [] });
  });

  it('also when the store is away', () => {
    const fact = { kind: 'unavailable', cause: 'store', retryAfterMs: 1000 } as const;
    const headers = { authorization: 'Bearer k_other' };
    expect(verdict(tell({ policy, memory, fact }, { path: '/hidden', headers }))).toBe(
      '404 store_unavailable',
    );
  });
});
