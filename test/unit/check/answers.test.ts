import { describe, expect, it } from 'vitest';
import type { Outcome } from '../../../src/check.ts';
import type { Answer } from '../../../src/model/answer.ts';
import {
  countingLimits,
  memoryOf,
  NOW,
  policyOf,
  subject,
  tell,
  verdict,
} from '../../support/story.ts';
import { wholeAllow, wholeMetadata } from '../../support/whole-answer.ts';

const YAML = `
version: 1
realm: example
credentials:
  bearer: { type: bearer }
  header_key: { type: api_key, in: header, name: X-API-Key }
  basic: { type: basic, accept: [key_as_username] }
  query_key: { type: api_key, in: query, name: api_key }
  cookie_key: { type: api_key, in: cookie, name: sid }
key_format: { prefix: lk, separator: _, environments: [live, test], also_accept: [k_] }
scopes:
  admin: { implies: [read, write] }
plans:
  default: { limits: [ { name: minute, quota: 3, window: 1m, per: key } ] }
  double: { limits: [ { name: minute, quota: 5, window: 1m, per: key }, { name: org, quota: 2, window: 1h, per: organization } ] }
  anonymous: { limits: [ { name: address, quota: 2, window: 1m, per: client_address } ] }
failed_authentications: { quota: 2, window: 1m }
routes:
  - { name: read, match: { path: /read }, scopes: [read] }
  - { name: admin, match: { path: /admin }, scopes: [admin] }
  - { name: heavy, match: { path: /heavy }, scopes: [read], cost: 2 }
  - { name: free, match: { path: /free }, scopes: [read], cost: 0 }
  - { name: public, match: { path: /public }, auth: optional }
  - { name: open, match: { path: /open }, auth: none }
  - { name: passing, match: { path: /passing }, scopes: [read], pass_credential: true }
  - { name: hidden, match: { path: /hidden }, scopes: [read], hide: true }
`;
const policy = policyOf(YAML);
const bearer = { authorization: 'Bearer k_reader' };
const fresh = (keys: Parameters<typeof memoryOf>[1] = { k_reader: subject() }) =>
  memoryOf(policy, keys);

function answerOf(outcome: Outcome): Answer {
  if (outcome.kind === 'need') throw new Error('memory must know');
  return outcome.answer;
}

function lines(answer: Answer): Record<string, string[]> {
  const all = answer.kind === 'ok' ? wholeAllow(answer).requestHeaders : answer.headers;
  const grouped: Record<string, string[]> = {};
  for (const { name, value } of all) grouped[name] = [...(grouped[name] ?? []), value];
  return grouped;
}

const PRINCIPAL_HEADERS = [
  'x-principal-id',
  'x-principal-organization',
  'x-principal-scopes',
  'x-principal-plan',
  'x-credential-id',
  'x-auth-method',
];

describe('principal headers', () => {
  it('are all set for a principal', () => {
    const answer = answerOf(tell({ policy, memory: fresh() }, { path: '/read', headers: bearer }));
    expect(lines(answer)).toEqual({
      'x-principal-id': ['usr_1'],
      'x-principal-organization': ['org_1'],
      'x-principal-scopes': ['read'],
      'x-principal-plan': ['default'],
      'x-credential-id': ['k0000000001'],
      'x-auth-method': ['api_key'],
    });
  });

  it.each([
    ['anonymous on an optional route', '/public'],
    ['a route without authentication', '/open'],
  ])('are all removed for %s', (_name, path) => {
    const answer = answerOf(tell({ policy, memory: fresh() }, { path }));
    if (answer.kind !== 'ok') throw new Error('must allow');
    expect(wholeAllow(answer).requestHeaders).toEqual([]);
    expect(wholeAllow(answer).removeRequestHeaders).toEqual(
      expect.arrayContaining(PRINCIPAL_HEADERS),
    );
  });

  it('that are empty are removed, so that the client’s own cannot stay', () => {
    const memory = fresh({ k_reader: subject({ scopes: [] }) });
    const answer = answerOf(tell({ policy, memory }, { path: '/public', headers: bearer }));
    if (answer.kind !== 'ok') throw new Error('must allow');
    expect(lines(answer)['x-principal-scopes']).toBeUndefined();
    expect(wholeAllow(answer).removeRequestHeaders).toContain('x-principal-scopes');
  });

  it('never stand in both lists: Envoy removes after it sets', () => {
    for (const path of ['/read', '/public', '/open', '/passing']) {
      const answer = answerOf(tell({ policy, memory: fresh() }, { path, headers: bearer }));
      if (answer.kind !== 'ok') throw new Error('must allow');
      const set = Object.keys(lines(answer));
      const { removeRequestHeaders } = wholeAllow(answer);
      expect(set.filter((name) => removeRequestHeaders.includes(name))).toEqual([]);
    }
  });

  it('follow a policy that no longer implies a scope, on a warm key', () => {
    const memory = fresh({ k_reader: subject({ scopes: ['admin'] }) });
    expect(verdict(tell({ policy, memory }, { path: '/read', headers: bearer }))).toBe('200');
    const narrower = {
      ...policyOf(YAML.replace('[read, write]', '[write]')),
      generation: policy.generation + 1,
    };
    expect(verdict(tell({ policy: narrower, memory }, { path: '/read', headers: bearer }))).toBe(
      '403 scope_missing',
    );
  });
});

describe('the credential', () => {
  const strip = (path: string, headers: Record<string, string | string[]>) => {
    const answer = answerOf(tell({ policy, memory: fresh() }, { path, headers }));
    if (answer.kind !== 'ok') throw new Error('must allow');
    const { removeRequestHeaders } = wholeAllow(answer);
    const cookies = answer.requestHeaders.filter(({ name }) => name === 'cookie');
    return {
      removeRequestHeaders,
      removeQueryParameters: answer.removeQueryParameters,
      requestHeaders: cookies,
    };
  };

  it('is removed from the header that held it', () => {
    expect(strip('/read', bearer).removeRequestHeaders).toContain('authorization');
    expect(strip('/read', { 'x-api-key': 'k_reader' }).removeRequestHeaders).toContain('x-api-key');
  });

  it('is removed from the query', () => {
    expect(strip('/read?a=1&api_key=k_reader', {}).removeQueryParameters).toEqual(['api_key']);
  });

  it('is removed from the cookies, and the others stay', () => {
    const { requestHeaders } = strip('/read', { cookie: 'a=1; sid=k_reader; b=2' });
    expect(requestHeaders).toEqual([{ name: 'cookie', value: 'a=1; b=2' }]);
    expect(strip('/read', { cookie: 'sid=k_reader' }).removeRequestHeaders).toContain('cookie');
  });

  it('is removed from every place that the policy names, used or not', () => {
    const ignored = strip('/read', { ...bearer, cookie: 'sid=x; a=1' });
    expect(ignored.requestHeaders).toEqual([{ name: 'cookie', value: 'a=1' }]);
    const open = strip('/open?api%5Fkey=x&api_key=y', { ...bearer, 'x-api-key': 'z' });
    expect(open.removeRequestHeaders).toEqual(
      expect.arrayContaining(['authorization', 'x-api-key']),
    );
    expect(open.removeQueryParameters).toEqual(['api%5Fkey', 'api_key']);
  });

  it('stays where the route passes it on', () => {
    expect(strip('/passing', bearer).removeRequestHeaders).not.toContain('authorization');
  });
});

describe('limits', () => {
  it('are charged by cost, told on allow and deny, and a refusal charges nothing', () => {
    const limits = countingLimits();
    const parts = { policy, memory: fresh(), limits };
    const first = answerOf(tell(parts, { path: '/heavy', headers: bearer }));
    if (first.kind !== 'ok') throw new Error('must allow');
    const told = Object.fromEntries(first.responseHeaders.map(({ name, value }) => [name, value]));
    expect(told).toEqual({
      'x-ratelimit-limit': '3',
      'x-ratelimit-remaining': '1',
      'x-ratelimit-reset': String((NOW.wallMs + 60_000) / 1000),
      ratelimit: '"minute";r=1;t=60',
      'ratelimit-policy': '"minute";q=3;w=60',
    });
    const second = tell(parts, { path: '/heavy', headers: bearer });
    expect(verdict(second)).toBe('429 limit_exceeded');
    expect(lines(answerOf(second))).toMatchObject({
      'retry-after': ['60'],
      'x-ratelimit-remaining': ['1'],
      ratelimit: ['"minute";r=1;t=60'],
    });
    expect(limits.spent.get('default/minute|key:k0000000001')).toBe(2);
  });

  it.each([
    ['a missing scope', '/admin', bearer, '403 scope_missing'],
    ['no credential', '/read', {}, '401 credential_missing'],
    ['a free route', '/free', bearer, '200'],
  ])('are not touched by %s', (_name, path, headers, expected) => {
    const limits = countingLimits();
    const outcome = tell({ policy, memory: fresh(), limits }, { path, headers });
    expect(verdict(outcome)).toBe(expected);
    expect([...limits.spent]).toEqual([]);
    const answer = answerOf(outcome);
    const told = answer.kind === 'ok' ? answer.responseHeaders : answer.headers;
    expect(told.filter(({ name }) => name.includes('ratelimit'))).toEqual([]);
  });

  it('of several, the tightest is the one in X-RateLimit, and all are charged or none', () => {
    const limits = countingLimits();
    const parts = { policy, memory: fresh({ k_reader: subject({ plan: 'double' }) }), limits };
    const statuses = [1, 2, 3].map(() => verdict(tell(parts, { path: '/read', headers: bearer })));
    expect(statuses).toEqual(['200', '200', '429 limit_exceeded']);
    expect([...limits.spent.values()]).toEqual([2, 2]);
  });

  it('a plan that the policy does not have falls back to default, never to none', () => {
    const memory = fresh({ k_reader: subject({ plan: 'gone' }) });
    const limits = countingLimits();
    tell({ policy, memory, limits }, { path: '/read', headers: bearer });
    expect([...limits.spent.keys()]).toEqual(['default/minute|key:k0000000001']);
  });

  it('count anonymous requests by client address', () => {
    const limits = countingLimits();
    const from = (peer: string) => verdict(tell({ policy, limits }, { path: '/public', peer }));
    expect([from('192.0.2.1'), from('192.0.2.1'), from('192.0.2.1'), from('192.0.2.2')]).toEqual([
      '200',
      '200',
      '429 limit_exceeded',
      '200',
    ]);
  });

  it('on a hidden route are shown to its principal only', () => {
    const limits = countingLimits();
    const parts = { policy, memory: fresh(), limits };
    const ask = () => verdict(tell(parts, { path: '/hidden', headers: bearer }));
    expect([ask(), ask(), ask(), ask()]).toEqual(['200', '200', '200', '429 limit_exceeded']);
  });
});

describe('failed authentications', () => {
  const bad = { authorization: 'Bearer k_gone' };
  const memory = () => fresh({ k_reader: subject(), k_gone: 'absent' });

  it('are limited per client address, without spending a plan', () => {
    const limits = countingLimits();
    const parts = { policy, memory: memory(), limits };
    const from = (peer: string) => verdict(tell(parts, { path: '/read', headers: bad, peer }));
    expect([from('192.0.2.1'), from('192.0.2.1'), from('192.0.2.1'), from('192.0.2.9')]).toEqual([
      '401 key_unknown',
      '401 key_unknown',
      '429 too_many_failures',
      '401 key_unknown',
    ]);
    expect(verdict(tell(parts, { path: '/read', headers: bearer, peer: '192.0.2.1' }))).toBe('200');
  });

  it('count IPv6 clients by /64', () => {
    const limits = countingLimits();
    const from = (peer: string) =>
      verdict(tell({ policy, memory: memory(), limits }, { path: '/read', headers: bad, peer }));
    expect([from('2001:db8::1'), from('2001:db8::2'), from('2001:db8::3')].at(-1)).toBe(
      '429 too_many_failures',
    );
    expect(from('2001:db8:0:1::1')).toBe('401 key_unknown');
  });

  it('used up, mark further lookups of that address, and of no other', () => {
    const limits = countingLimits();
    const parts = { policy, memory: memory(), limits };
    const headers = { authorization: 'Bearer k_never-seen' };
    const need = (peer?: string) =>
      tell(parts, { path: '/read', headers, ...(peer !== undefined && { peer }) });
    expect(need()).toMatchObject({ kind: 'need', isAfterFailures: false });
    for (let attempt = 0; attempt < 3; attempt += 1) tell(parts, { path: '/read', headers: bad });
    expect(need()).toMatchObject({ kind: 'need', isAfterFailures: true });
    expect(need('192.0.2.3')).toMatchObject({ kind: 'need', isAfterFailures: false });
  });

  it('used up, say so where a lookup has to wait', () => {
    const fact = { kind: 'unavailable', cause: 'failures', retryAfterMs: 900 } as const;
    const outcome = tell({ policy, fact }, { path: '/read', headers: bearer });
    expect(verdict(outcome)).toBe('429 too_many_failures');
    expect(lines(answerOf(outcome))['retry-after']).toEqual(['1']);
  });
});

describe('denials', () => {
  it('look alike for unknown, revoked, disabled, expired and mistyped keys', () => {
    const memory = fresh({
      k_gone: 'absent',
      k_revoked: subject({ revokedAtMs: 1 }),
      k_disabled: subject({ disabledAtMs: 1 }),
      k_expired: subject({ expiresAtMs: 1 }),
    });
    const texts = ['k_gone', 'k_revoked', 'k_disabled', 'k_expired', `lk_live_${'A'.repeat(46)}`];
    const shown = texts.map((text) => {
      const authorization = `Bearer ${text}`;
      return {
        ...answerOf(tell({ policy, memory }, { path: '/read', headers: { authorization } })),
        metadata: [],
      };
    });
    for (const answer of shown) expect(answer).toEqual(shown[0]);
  });

  it('carry one challenge per accepted scheme, with the error of RFC 6750 for Bearer', () => {
    const challenge = (headers: Record<string, string>, path = '/read') =>
      lines(answerOf(tell({ policy, memory: fresh() }, { path, headers })))['www-authenticate'];
    expect(challenge({})?.slice(0, 3)).toEqual([
      'Bearer realm="example"',
      expect.stringContaining('ApiKey'),
      'Basic realm="example", charset="UTF-8"',
    ]);
    expect(challenge({ authorization: 'Bearer nope' })?.[0]).toBe(
      'Bearer realm="example", error="invalid_token"',
    );
    expect(challenge(bearer, '/admin')).toEqual([
      'Bearer realm="example", error="insufficient_scope", scope="admin"',
    ]);
    expect(challenge({ authorization: 'Bearer a,Bearer b' })?.[0]).toContain(
      'error="invalid_request"',
    );
  });

  it('are problem documents that are never cached', () => {
    const answer = answerOf(tell({ policy, memory: fresh() }, { path: '/admin', headers: bearer }));
    if (answer.kind !== 'denied') throw new Error('must deny');
    expect(lines(answer)).toMatchObject({
      'content-type': ['application/problem+json'],
      'cache-control': ['no-store'],
    });
    expect(JSON.parse(answer.body)).toEqual({
      type: 'about:blank',
      title: 'Insufficient scope',
      status: 403,
      detail: 'The credential lacks a scope that this request needs.',
      code: 'insufficient_scope',
      decision_id: 'd-1',
      required_scopes: ['admin'],
      provided_scopes: ['read'],
    });
  });

  it.each([
    ['/read', {}, '16'],
    ['/admin', bearer, '7'],
    ['/nowhere', {}, '5'],
  ])('give gRPC clients a status and a plain text: %s', (path, headers, status) => {
    const answer = answerOf(
      tell(
        { policy, memory: fresh() },
        { path, method: 'POST', headers: { ...headers, 'content-type': 'application/grpc+proto' } },
      ),
    );
    expect(lines(answer)).toMatchObject({
      'grpc-status': [status],
      'content-type': ['text/plain'],
    });
  });

  it('tell Envoy the true reason as dynamic metadata', () => {
    const outcome = tell({ policy, memory: fresh() }, { path: '/hidden' });
    expect(wholeMetadata(answerOf(outcome))).toEqual([
      ['decision_id', 'd-1'],
      ['reason', 'credential_missing'],
      ['rule', 'hidden'],
    ]);
  });

  it.each([
    ['store', '503 store_unavailable'],
    ['overload', '503 lookups_overloaded'],
    ['client_budget', '503 client_lookups_exceeded'],
  ] as const)('an outage (%s) is neither a 401 nor an allow', (cause, expected) => {
    const fact = { kind: 'unavailable', cause, retryAfterMs: 1500 } as const;
    const outcome = tell({ policy, fact }, { path: '/read', headers: bearer });
    expect(verdict(outcome)).toBe(expected);
    expect(lines(answerOf(outcome))['retry-after']).toEqual(['2']);
  });
});

describe('a template of one’s own', () => {
  it('keeps the types of its placeholders', () => {
    const own = policyOf(`${YAML}
errors:
  format: template
  content_type: application/json
  default: { error: { code: '{code}', text: '{title} ({status})', details: { required: '{required_scopes}', provided: '{provided_scopes}' } } }
  reasons:
    credential_missing: { message: none, status: '{status}' }
`);
    const memory = memoryOf(own, { k_reader: subject() });
    const body = (path: string, headers: Record<string, string>) => {
      const answer = answerOf(tell({ policy: own, memory }, { path, headers }));
      return answer.kind === 'denied' ? JSON.parse(answer.body) : undefined;
    };
    expect(body('/admin', bearer)).toEqual({
      error: {
        code: 'insufficient_scope',
        text: 'Insufficient scope (403)',
        details: { required: ['admin'], provided: ['read'] },
      },
    });
    expect(body('/read', {})).toEqual({ message: 'none', status: 401 });
  });
});
