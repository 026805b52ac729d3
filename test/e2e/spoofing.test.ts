import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LIMIT_HEADERS } from '../support/e2e-answers.ts';
import { bearer, FORGED, sendForged, type Visit } from '../support/e2e-forged.ts';
import type { TestKey } from '../support/e2e-keys.ts';
import { type Stack, startStack } from '../support/e2e-stack.ts';
import { ENVOY_WAYS, type Envoys, openEnvoys } from '../support/e2e-ways.ts';
import type { HeaderPairs } from '../support/http-clients.ts';

/*
 * Nobody but latchkey speaks for latchkey: what a client sends under the names of its headers never reaches the upstream, on
 * any kind of route. On the reference configuration, and on an Envoy without any hardening, where latchkey stands alone; with
 * headers one by one and joined. Needs a real Envoy: who sets, appends and removes in which order is its own.
 */

let stack: Stack;
let envoys: Envoys;

beforeAll(async () => {
  stack = await startStack();
  envoys = await openEnvoys(stack);
});
afterAll(() => stack?.stop());

/** Somebody who is let in, and what the upstream is to be told of them. */
interface Allowed extends Visit {
  readonly told: (key: TestKey | undefined) => HeaderPairs;
}

const nothing = (): HeaderPairs => [];
const principal =
  (scopes: string, plan = 'default', owner?: 'member') =>
  (key: TestKey | undefined): HeaderPairs => {
    const id = key?.id ?? '';
    const all: [string, string][] = [
      ['x-auth-method', 'api_key'],
      ['x-credential-id', id],
      ['x-principal-id', owner === undefined ? id : stack.keys.owners[owner]],
      ['x-principal-organization', stack.keys.organizationId],
      ['x-principal-plan', plan],
      ['x-principal-scopes', scopes],
    ];
    return all.filter(([, value]) => value !== '');
  };

const READ = { path: '/v1/read', grpcPath: '/echo.Echo/Echo' };

const ALLOWED: Readonly<Record<string, Allowed>> = {
  required: { ...READ, key: () => stack.keys.create(), told: principal('read') },
  'required, owned key': {
    ...READ,
    key: () => stack.keys.create({ owner: stack.keys.owners.member, scopes: ['read', 'write'] }),
    told: principal('read write', 'default', 'member'),
  },
  'required, key without scopes': {
    path: '/v1/tenants/acme/x',
    key: () => stack.keys.create({ scopes: [] }),
    told: principal(''),
  },
  limited: {
    ...READ,
    key: () => stack.keys.create({ plan: 'small' }),
    told: principal('read', 'small'),
  },
  hidden: {
    path: '/v1/hidden/x',
    key: () => stack.keys.create({ scopes: ['admin'] }),
    told: principal('admin read write'),
  },
  'optional, with a key': {
    path: '/v1/optional/x',
    key: () => stack.keys.create(),
    told: principal('read'),
  },
  'optional, anonymous': { path: '/v1/optional/x', told: nothing },
  'none, with a key': { path: '/v1/none/x', key: () => stack.keys.create(), told: nothing },
  'none, anonymous': { path: '/v1/none/x', told: nothing },
  'passing the credential on': {
    path: '/v1/passing',
    key: () => stack.keys.create(),
    told: principal('read'),
  },
};

/** A gRPC call that is allowed ends with code 0. */
const OK = { 'HTTP/1.1': 200, 'HTTP/2': 200, gRPC: 0 };

describe.each(ENVOY_WAYS)(
  '%s: of the headers that are latchkey’s the upstream gets latchkey’s only',
  (way) => {
    it.each(Object.entries(ALLOWED))('%s', async (_route, { told, ...visit }) => {
      for (const answer of await sendForged(envoys[way], visit)) {
        const { client, key } = answer;
        expect(answer).toMatchObject({ client, status: OK[client], told: told(key) });
        expect(answer.received).not.toContain('evil');
      }
    });

    it('nor does the client get its own back as limits', async () => {
      const key = await stack.keys.create();
      const headers = [...FORGED, bearer(key)];
      const answer = await envoys[way].request({ path: '/v1/read', headers });
      expect(LIMIT_HEADERS.map((header) => answer.values(header).length)).toEqual([1, 1, 1, 1, 1]);
      expect(answer.headers.flat().join()).not.toContain('evil');
    });
  },
);

/** Whom latchkey refuses, whatever they say of themselves, and the status of HTTP and of gRPC. */
const REFUSED: Readonly<Record<string, Visit & { readonly statuses: readonly number[] }>> = {
  'no key': { ...READ, statuses: [401, 401, 16] },
  'a key without the scope': {
    path: '/v1/admin',
    grpcPath: '/echo.Admin/Echo',
    key: () => stack.keys.create(),
    statuses: [403, 403, 7],
  },
  'a hidden route': {
    path: '/v1/hidden/x',
    key: () => stack.keys.create(),
    statuses: [404, 404, 5],
  },
  'a path that matches nothing, with a key': {
    path: '/nowhere',
    key: () => stack.keys.create({ scopes: ['admin'] }),
    statuses: [404, 404, 5],
  },
  'a path that matches nothing, anonymous': { path: '/nowhere', statuses: [404, 404, 5] },
};

describe.each(ENVOY_WAYS)('%s: claiming to be somebody helps nobody', (way) => {
  it.each(Object.entries(REFUSED))('%s', async (_why, { statuses, ...visit }) => {
    const answers = await sendForged(envoys[way], visit);
    expect(answers.map(({ status, told }) => ({ status, told }))).toEqual(
      statuses.map((status) => ({ status, told: undefined })),
    );
    for (const { received } of answers) expect(received).not.toContain('evil');
  });
});

describe('spelled with underscores, which some upstreams read as dashes', () => {
  const headers: HeaderPairs = [
    ['X_Principal_Id', 'evil'],
    ['x_principal_plan', 'evil'],
  ];

  it.each(['reference raw', 'reference map'] as const)('%s: refused by Envoy', async (name) => {
    const envoy = envoys[name];
    for (const line of headers) {
      expect((await envoy.request({ path: '/v1/none/x', headers: [line] })).status).toBe(400);
    }
  });

  it.each(['bare raw', 'bare map'] as const)('%s: removed by latchkey', async (name) => {
    const all: HeaderPairs = [...headers, ['x_principal-plan', 'evil'], ['x_mine', 'mine']];
    const { headers: seen } = (
      await envoys[name].request({ path: '/v1/none/x', headers: all })
    ).echo();
    const values = seen.map(([, value]) => value);
    expect(values).not.toContain('evil');
    expect(values).toContain('mine');
  });
});

describe('the client’s address', () => {
  it.each(['reference raw', 'reference map'] as const)(
    '%s: no client chooses its own',
    async (name) => {
      const bound = await stack.keys.create({ allowedCidrs: ['192.0.2.0/24'] });
      const forged: HeaderPairs = [
        ['x-forwarded-for', '192.0.2.1'],
        ['X-Forwarded-For', '192.0.2.1, 192.0.2.2'],
        ['x-envoy-external-address', '192.0.2.1'],
        ['x-real-ip', '192.0.2.1'],
        ['forwarded', 'for=192.0.2.1'],
      ];
      const response = await envoys[name].request({
        path: '/v1/read',
        headers: [bearer(bound), ...forged],
      });
      expect(response.json()).toMatchObject({ status: 403, code: 'address_not_allowed' });
    },
  );
});

/** Row 15: headers by which some upstreams let a client choose another path or method. */
describe.each(ENVOY_WAYS)('%s: a header that names another path or method', (name) => {
  it.each([
    ['X-Original-URL', '/v1/admin'],
    ['X-Rewrite-URL', '/v1/admin'],
    ['X-HTTP-Method-Override', 'DELETE'],
    ['X-Forwarded-Prefix', '/v1/admin'],
    ['x-envoy-original-path', '/v1/admin'],
  ])('%s is not looked at, and strip_headers keeps it from the upstream', async (header, value) => {
    const envoy = envoys[name];
    const reader = await stack.keys.create();
    const open = await envoy.request({ path: '/v1/none/x', headers: [[header, value]] });
    expect(open.status).toBe(200);
    expect(open.echo().headers.map(([line]) => line.toLowerCase())).not.toContain(
      header.toLowerCase(),
    );
    const admin = { path: '/v1/admin', headers: [bearer(reader), [header, '/v1/none/x'] as const] };
    expect((await envoy.request(admin)).status).toBe(403);
  });
});
