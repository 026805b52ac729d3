import { describe, expect, it } from 'vitest';
import { memoryOf, policyOf, subject, tell, verdict } from '../../support/story.ts';

const policy = policyOf(`
version: 1
credentials:
  bearer: { type: bearer }
key_format: { prefix: lk, separator: _, environments: [live, test], also_accept: [k_] }
scopes:
  admin: { implies: [read, write] }
roles:
  member: { scopes: [read, write] }
  org_admin: { scopes: [admin] }
plans:
  default: { limits: [ { name: minute, quota: 3, window: 1m, per: key } ] }
  anonymous: { limits: [ { name: address, quota: 2, window: 1m, per: client_address } ] }
failed_authentications: { quota: 2, window: 1m }
routes:
  - { name: scans-read, match: { path: /v1/scans, methods: [GET] }, scopes: [read] }
  - { name: scans-write, match: { path: /v1/scans, methods: [POST] }, scopes: [write] }
  - { name: scan, match: { path: '/v1/scans/{id}', methods: [GET] }, scopes: [read] }
  - { name: either, match: { path: /v1/either }, scopes: { any_of: [predict, write] } }
  - { name: admin, match: { path: /admin/** }, scopes: [admin] }
  - { name: public, match: { path: /public/** }, auth: optional }
  - { name: tenant, match: { path: '/t/{org}/x' }, scopes: [read], organization: { from: path_segment, index: 1 } }
  - { name: test-keys, match: { path: /sandbox }, environments: [test], scopes: [read] }
  - { name: wide, match: { path: /** , hosts: ['*.wide.example'] }, auth: none }
  - { name: narrow, match: { path: /only , hosts: [api.wide.example] }, scopes: [read] }
`);
const memory = () =>
  memoryOf(policy, {
    k_reader: subject({ scopes: ['read'] }),
    k_writer: subject({ scopes: ['write'], keyId: 'k2' as never }),
    k_admin: subject({ scopes: ['admin'], ownerRole: 'org_admin' }),
    k_lifted: subject({ scopes: ['admin'], ownerRole: 'member' }),
    k_super: subject({ scopes: ['admin'], ownerRole: 'super_admin' }),
    k_test: subject({ environment: 'test' }),
    k_office: subject({ cidrs: ['203.0.113.0/24', '2001:db8::/32'] }),
    k_gone: 'absent',
  });
const bearer = (key: string) => ({ authorization: `Bearer ${key}` });
const ask = (path: string, key?: string, method = 'GET', host = 'api.example.com') =>
  verdict(
    tell({ policy, memory: memory() }, { path, method, host, headers: key ? bearer(key) : {} }),
  );

describe('routes and scopes', () => {
  it.each<[string, string, string, string | undefined, string]>([
    ['a held scope', 'GET', '/v1/scans', 'k_reader', '200'],
    ['a missing scope', 'POST', '/v1/scans', 'k_reader', '403 scope_missing'],
    ['one of several', 'GET', '/v1/either', 'k_writer', '200'],
    ['none of several', 'GET', '/v1/either', 'k_reader', '403 scope_missing'],
    ['implied scopes', 'POST', '/v1/scans', 'k_admin', '200'],
    [
      'a scope beyond the owner’s role is not held',
      'GET',
      '/admin/x',
      'k_lifted',
      '403 scope_missing',
    ],
    ['what it implies within the role is', 'POST', '/v1/scans', 'k_lifted', '200'],
    ['a super admin’s key acts as org_admin', 'GET', '/admin/x', 'k_super', '200'],
    ['a parameter', 'GET', '/v1/scans/42', 'k_reader', '200'],
    ['HEAD as GET', 'HEAD', '/v1/scans', 'k_reader', '200'],
    ['HEAD needs what GET needs', 'HEAD', '/v1/scans', 'k_writer', '403 scope_missing'],
    ['a test key on a live route', 'GET', '/v1/scans', 'k_test', '403 environment_not_accepted'],
    ['a live key on a test route', 'GET', '/sandbox', 'k_reader', '403 environment_not_accepted'],
    ['a tenant by id', 'GET', '/t/org_1/x', 'k_reader', '200'],
    ['a tenant by name', 'GET', '/t/acme/x', 'k_reader', '200'],
    ['another tenant', 'GET', '/t/org_2/x', 'k_reader', '403 organization_mismatch'],
    ['nothing matched', 'GET', '/v2', 'k_reader', '404 route_not_found'],
    ['another case', 'GET', '/v1/Scans', 'k_reader', '404 route_not_found'],
    ['a trailing slash', 'GET', '/v1/scans/', 'k_reader', '404 route_not_found'],
    ['a trailing dot', 'GET', '/v1/scans.', 'k_reader', '404 route_not_found'],
    ['a query', 'GET', '/v1/scans?x=/admin', 'k_reader', '200'],
    [
      'a method that the path does not name',
      'DELETE',
      '/v1/scans',
      'k_reader',
      '405 method_not_allowed',
    ],
    ['a lower-case method', 'get', '/v1/scans', 'k_reader', '405 method_not_allowed'],
    ['a made-up method', 'GETX', '/v1/scans', 'k_reader', '405 method_not_allowed'],
    ['TRACE', 'TRACE', '/admin/x', 'k_admin', '405 method_not_allowed'],
    ['a method that is no token', 'G T', '/v1/scans', 'k_reader', '400 method_malformed'],
    ['the parent of **', 'GET', '/admin', 'k_reader', '403 scope_missing'],
    ['** is open below', 'GET', '/public/a/b/', undefined, '200'],
  ])('%s', (_name, method, path, key, expected) => {
    expect(ask(path, key, method)).toBe(expected);
  });

  it.each([
    '//admin',
    '/admin//x',
    '/./admin',
    '/x/../admin',
    '/%2e%2e/admin',
    '/%2E/admin',
    '/admin%2fx',
    '/admin%5cx',
    '/admin\\x',
    '/admin%00',
    '/public/%252e%252e/admin',
    '/public/%zz',
    '/public/%',
    '/public/%c0%af',
    '/admin;x=1',
    '/public;/..',
    'admin',
    '*',
    'http://evil/admin',
    '/public/\u00e9',
    '/public/ x',
    '/public#x',
  ])('%s is refused before matching', (path) => {
    expect(ask(path, 'k_admin')).toBe('400 path_malformed');
  });

  it('decodes unreserved characters once, so a spelling cannot slip past a literal', () => {
    expect(ask('/%61dmin/x', 'k_reader')).toBe('403 scope_missing');
    // An escape of an escape: whoever decodes twice would see another path.
    expect(ask('/public/%2561dmin', undefined)).toBe('400 path_malformed');
  });
});

describe('hosts', () => {
  it.each<[string, string, string]>([
    ['a wildcard', 'a.wide.example', '200'],
    ['case, port and a trailing dot', 'A.Wide.Example.:8443', '200'],
    ['the narrower host first', 'api.wide.example', '401 credential_missing'],
    ['the bare domain is no match for *.', 'wide.example', '404 route_not_found'],
    ['no host name', 'a/b', '400 host_malformed'],
    ['two hosts', 'a.wide.example,b', '400 host_malformed'],
  ])('%s', (_name, host, expected) => {
    expect(ask('/only', undefined, 'GET', host)).toBe(expected);
  });
});

describe('a rule that Envoy names', () => {
  const named = (ruleName: string) =>
    verdict(
      tell(
        { policy, memory: memory() },
        { path: '/anything', ruleName, headers: bearer('k_reader') },
      ),
    );
  it('is used whatever the path', () => expect(named('scans-read')).toBe('200'));
  it('denies when there is none of that name', () =>
    expect(named('nope')).toBe('404 rule_unknown'));
  it('denies an empty name', () => expect(named('')).toBe('404 rule_unknown'));
});

describe('allowed CIDRs', () => {
  const from = (peer: string, external?: string | readonly string[]) =>
    verdict(
      tell(
        { policy, memory: memory() },
        {
          path: '/v1/scans',
          peer,
          headers: {
            ...bearer('k_office'),
            ...(external && { 'x-envoy-external-address': external }),
          },
        },
      ),
    );
  it.each<[string, string, string | undefined, string]>([
    ['the peer inside', '203.0.113.9', undefined, '200'],
    ['the peer outside', '198.51.100.1', undefined, '403 address_not_allowed'],
    ['Envoy’s external address wins', '127.0.0.1', '2001:db8::1', '200'],
    ['an address outside', '203.0.113.9', '198.51.100.1', '403 address_not_allowed'],
    ['IPv4-mapped', '::ffff:203.0.113.9', undefined, '200'],
    ['an address that cannot be told', 'pipe', undefined, '403 address_not_allowed'],
  ])('%s', (_name, peer, external, expected) => {
    expect(from(peer, external)).toBe(expected);
  });
});

describe('what ends a key, held against the clock at decision time', () => {
  const wallMs = 1_800_000_000_000;
  it.each<[string, Parameters<typeof subject>[0], number | null, string]>([
    ['revoked', { revokedAtMs: wallMs - 1 }, null, '401 key_revoked'],
    ['disabled', { disabledAtMs: wallMs - 1 }, null, '401 key_disabled'],
    ['expires now', { expiresAtMs: wallMs }, null, '401 key_expired'],
    ['expires in a millisecond', { expiresAtMs: wallMs + 1 }, null, '200'],
    ['its secret ended', {}, wallMs, '401 key_secret_expired'],
    ['its secret ends soon', {}, wallMs + 1, '200'],
    ['organization disabled', { organizationDisabledAtMs: 1 }, null, '401 organization_disabled'],
    ['owner disabled', { ownerDisabledAtMs: 1 }, null, '401 owner_disabled'],
  ])('%s', (_name, changes, secretExpiresAtMs, expected) => {
    const known = memoryOf(policy, { k_x: subject(changes) }, secretExpiresAtMs);
    expect(
      verdict(tell({ policy, memory: known }, { path: '/v1/scans', headers: bearer('k_x') })),
    ).toBe(expected);
  });
});
