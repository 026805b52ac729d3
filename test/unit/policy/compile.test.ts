import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { SLOT, SLOT_FIRST_OWN } from '../../../src/model/request.ts';
import { checkPolicyText } from '../../../src/policy/check-policy.ts';
import { compilePolicy } from '../../../src/policy/compile.ts';
import { formatProblem } from '../../../src/policy/problem.ts';

const ROUTES = 'routes: [{ name: a, match: { path: /a } }]\n';
const BASE = `version: 1\ncredentials: { bearer: { type: bearer } }\n`;

function compiled(sections: string, base = BASE) {
  const { policy, errors } = checkPolicyText(base + sections);
  if (policy === undefined) throw new Error(errors.map(formatProblem).join('\n'));
  return policy;
}

describe('what the file leaves out', () => {
  const policy = compiled(ROUTES);

  it('is set to what is safe and usual', () => {
    expect(policy).toMatchObject({
      generation: 0,
      realm: 'api',
      clientAddress: { from: 'envoy_external' },
      rateLimitReset: 'epoch',
      errors: { kind: 'problem' },
      outage: 'denied',
      stripHeaders: [],
      administrationScope: null,
      keyFormat: { prefix: 'lk', separator: '_', environments: ['live', 'test'] },
      failedAuthentications: {
        id: 'failed_authentications',
        quota: 30,
        burst: 30,
        windowMs: 60_000,
        algorithm: 'gcra',
        per: 'client_address',
      },
      principalHeaders: {
        id: 'x-principal-id',
        organization: 'x-principal-organization',
        scopes: 'x-principal-scopes',
        plan: 'x-principal-plan',
        credential: 'x-credential-id',
        method: 'x-auth-method',
      },
    });
    expect(policy.plans).toEqual(new Map([['default', { name: 'default', limits: [] }]]));
  });

  it('of a route: every credential, live keys, no scopes, a cost of one, nothing hidden or passed on', () => {
    expect(policy.rulesByName.get('a')).toEqual({
      name: 'a',
      methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'],
      auth: 'required',
      hide: false,
      accept: policy.credentials,
      scopes: { allOf: [], anyOf: [] },
      environments: ['live'],
      organization: undefined,
      cost: 1,
      passCredential: false,
    });
  });
});

describe('identity', () => {
  it('is the SHA-256 of the very bytes, and the generation that was asked for', () => {
    const text = readFileSync(new URL('../../../examples/policy.yaml', import.meta.url), 'utf8');
    const result = compilePolicy(`# é\n${text}`, 7);
    if (result.kind !== 'compiled') throw new Error('the example must compile');
    expect(result.policy.generation).toBe(7);
    expect(result.policy.sha256).toMatch(/^[0-9a-f]{64}$/);
    expect(compilePolicy('version: 1\nroutes: []\n')).toMatchObject({
      // sha256sum of the same text.
      policy: { sha256: '9f844a7b3efae076071dce4a57ccc58b360bf3f4492c2d923c1d56798847067e' },
    });
  });

  it('the example has neither errors nor warnings', () => {
    const text = readFileSync(new URL('../../../examples/policy.yaml', import.meta.url), 'utf8');
    expect(checkPolicyText(text)).toMatchObject({ errors: [], warnings: [] });
  });
});

describe('credentials', () => {
  const policy = compiled(
    ROUTES,
    `version: 1
realm: example
client_address: { xff: 2 }
credentials:
  basic: { type: basic, environments: [test] }
  first: { type: api_key, in: header, name: X-API-Key }
  query: { type: api_key, in: query, name: api_key, environments: [test] }
  cookie: { type: api_key, in: cookie, name: __Host-key }
  second: { type: api_key, in: header, name: api-token }
`,
  );

  it('keep the order of the file, with a slot of its own for each header', () => {
    expect(policy.credentials).toEqual([
      {
        name: 'basic',
        kind: 'api_key',
        environments: ['test'],
        challenge: 'Basic realm="example", charset="UTF-8"',
        place: 'basic',
      },
      {
        name: 'first',
        kind: 'api_key',
        environments: null,
        challenge: 'ApiKey realm="example", in="header", name="x-api-key"',
        place: 'header',
        header: 'x-api-key',
        slot: SLOT_FIRST_OWN,
      },
      {
        name: 'query',
        kind: 'api_key',
        environments: ['test'],
        challenge: 'ApiKey realm="example", in="query", name="api_key"',
        place: 'query',
        parameter: 'api_key',
      },
      {
        name: 'cookie',
        kind: 'api_key',
        environments: null,
        challenge: 'ApiKey realm="example", in="cookie", name="__Host-key"',
        place: 'cookie',
        cookie: '__Host-key',
      },
      {
        name: 'second',
        kind: 'api_key',
        environments: null,
        challenge: 'ApiKey realm="example", in="header", name="api-token"',
        place: 'header',
        header: 'api-token',
        slot: SLOT_FIRST_OWN + 1,
      },
    ]);
  });

  it('decide which headers are read: each at its slot, none that nothing needs', () => {
    for (const credential of policy.credentials) {
      if (credential.place !== 'header') continue;
      expect(policy.wantedHeaders[credential.slot]).toBe(credential.header);
    }
    for (const { name, slot } of policy.lookalikeHeaders) {
      expect(policy.wantedHeaders[slot]).toBe(name);
    }
    const ownCount = 2 + policy.lookalikeHeaders.length;
    expect(policy.wantedHeaders).toHaveLength(SLOT_FIRST_OWN + ownCount);
    expect(policy.wantedHeaders[SLOT.cookie]).toBe('cookie');
    expect(policy.wantedHeaders[SLOT.forwardedFor]).toBe('x-forwarded-for');
    expect(policy.wantedHeaders[SLOT.externalAddress]).toBe('');
    const plain = compiled(ROUTES).wantedHeaders.slice(0, SLOT_FIRST_OWN);
    expect(plain.filter((name) => name !== '')).toEqual([
      'authorization',
      'x-envoy-external-address',
      'content-type',
    ]);
    expect(plain[SLOT.authorization]).toBe('authorization');
    expect(plain[SLOT.contentType]).toBe('content-type');
  });

  it('are accepted by a route in the order of the file, whatever the order of its list', () => {
    const accept = compiled(
      'routes: [{ name: a, match: { path: /a }, accept: [basic, bearer] }]\n',
      'version: 1\ncredentials: { bearer: { type: bearer }, basic: { type: basic } }\n',
    ).rulesByName.get('a')?.accept;
    expect(accept?.map(({ name }) => name)).toEqual(['bearer', 'basic']);
  });
});

describe('scopes', () => {
  it('imply one another transitively, in circles too', () => {
    const { impliedScopes } = compiled(`scopes:
  owner: { implies: [admin] }
  admin: { implies: [read, write] }
  write: { implies: [read, admin] }
  lonely: {}
${ROUTES}`);
    const sorted = [...impliedScopes].map(([scope, implied]) => [scope, [...implied].sort()]);
    expect(sorted).toEqual([
      ['owner', ['admin', 'owner', 'read', 'write']],
      ['admin', ['admin', 'read', 'write']],
      ['write', ['admin', 'read', 'write']],
      ['lonely', ['lonely']],
    ]);
    expect(impliedScopes.get('admin')?.[0]).toBe('admin');
  });

  it('bound a role with what they imply; a role left out is no bound', () => {
    const { roleScopes } = compiled(`scopes: { admin: { implies: [read] } }
roles: { member: { scopes: [] }, org_admin: { scopes: [admin, extra] } }
${ROUTES}`);
    expect(roleScopes).toEqual(
      new Map([
        ['member', new Set()],
        ['org_admin', new Set(['admin', 'extra', 'read'])],
      ]),
    );
  });

  it('of a route are all of a list, or all_of and any_of', () => {
    const { rulesByName } = compiled(`routes:
  - { name: a, match: { path: /a }, scopes: [x, y] }
  - { name: b, match: { path: /b }, scopes: { all_of: [x], any_of: [y, z] } }
  - { name: c, match: { path: /c }, scopes: { any_of: [y] } }
`);
    expect([...rulesByName.values()].map(({ scopes }) => scopes)).toEqual([
      { allOf: ['x', 'y'], anyOf: [] },
      { allOf: ['x'], anyOf: ['y', 'z'] },
      { allOf: [], anyOf: ['y'] },
    ]);
  });
});

describe('plans', () => {
  it('give each limit a stable id, milliseconds, and a burst', () => {
    const { plans, failedAuthentications } = compiled(`plans:
  default:
    limits:
      - { name: second, quota: 10, burst: 40, window: 30s }
      - { name: month, quota: 1000, window: 30d, algorithm: fixed_window, per: organization }
      - { name: hour, quota: 5, window: 2h, per: client_address }
failed_authentications: { quota: 3, window: 1h }
${ROUTES}`);
    expect(plans.get('default')?.limits).toEqual([
      {
        id: 'default/second',
        name: 'second',
        quota: 10,
        burst: 40,
        windowMs: 30_000,
        algorithm: 'gcra',
        per: 'key',
      },
      {
        id: 'default/month',
        name: 'month',
        quota: 1000,
        burst: 1000,
        windowMs: 30 * 86_400_000,
        algorithm: 'fixed_window',
        per: 'organization',
      },
      {
        id: 'default/hour',
        name: 'hour',
        quota: 5,
        burst: 5,
        windowMs: 7_200_000,
        algorithm: 'gcra',
        per: 'client_address',
      },
    ]);
    expect(failedAuthentications).toMatchObject({ quota: 3, burst: 3, windowMs: 3_600_000 });
  });

  it('failed authentications can be left unlimited only by saying so', () => {
    expect(compiled(`failed_authentications: off\n${ROUTES}`).failedAuthentications).toBeNull();
  });

  it('a route may cost as much as the burst, or nothing', () => {
    const { rulesByName } =
      compiled(`plans: { default: { limits: [{ name: m, quota: 5, window: 1m }] } }
routes: [{ name: a, match: { path: /a }, cost: 5 }, { name: b, match: { path: /b }, cost: 0 }]
`);
    expect([...rulesByName.values()].map(({ cost }) => cost)).toEqual([5, 0]);
  });
});

describe('names of headers and origins', () => {
  it('are lower case and told once', () => {
    const policy = compiled(`principal_headers: { id: X-User }
strip_headers: [X-Original-URL, x-original-url, X-Rewrite-URL]
public_origins: ['https://App.example.com', 'https://app.example.com:443', 'http://localhost:8080']
${ROUTES}`);
    expect(policy.principalHeaders.id).toBe('x-user');
    expect(policy.stripHeaders).toEqual(['x-original-url', 'x-rewrite-url']);
    expect([...policy.publicOrigins]).toEqual(['https://app.example.com', 'http://localhost:8080']);
  });
});
