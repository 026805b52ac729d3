import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Echo } from '../../src/app/echo-upstream.ts';
import type { TestKey } from '../support/e2e-keys.ts';
import { type Stack, startStack } from '../support/e2e-stack.ts';
import type { TestEnvoy } from '../support/envoy.ts';
import type { HeaderPairs, RequestInit } from '../support/http-clients.ts';

/*
 * Nobody but latchkey speaks for latchkey: what a client sends under the names of its headers never reaches the upstream, and
 * the credential does not either. On the reference configuration, and on an Envoy without any hardening, where latchkey
 * stands alone; with headers one by one and joined. Needs a real Envoy: who sets, appends and removes in which order is its own.
 */

const PRINCIPAL_HEADERS = [
  'x-principal-id',
  'x-principal-organization',
  'x-principal-scopes',
  'x-principal-plan',
  'x-credential-id',
  'x-auth-method',
] as const;
const LIMIT_HEADERS = [
  'x-ratelimit-limit',
  'x-ratelimit-remaining',
  'x-ratelimit-reset',
  'ratelimit',
  'ratelimit-policy',
] as const;
const OURS: readonly string[] = [...PRINCIPAL_HEADERS, ...LIMIT_HEADERS];

const upperFirst = (name: string): string =>
  name.replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase());
const once: HeaderPairs = OURS.map((name) => [name, 'evil']);
const forgedHttp1: HeaderPairs = [
  ...once,
  ...OURS.map((name): [string, string] => [upperFirst(name), 'evil, evil']),
  ...OURS.map((name): [string, string] => [name.toUpperCase(), '']),
];
const forgedHttp2: HeaderPairs = [...once, ...once];

let stack: Stack;
const envoys = new Map<string, TestEnvoy>();

beforeAll(async () => {
  stack = await startStack();
  envoys.set('reference, raw', await stack.addEnvoy('raw'));
  envoys.set('reference, joined', await stack.addEnvoy('map'));
  envoys.set('bare, raw', await stack.addBareEnvoy('raw'));
  envoys.set('bare, joined', await stack.addBareEnvoy('map'));
});
afterAll(() => stack?.stop());

const ENVOYS = ['reference, raw', 'reference, joined', 'bare, raw', 'bare, joined'];
const envoyNamed = (name: string): TestEnvoy => {
  const envoy = envoys.get(name);
  if (envoy === undefined) throw new Error(`no Envoy ${name}`);
  return envoy;
};

const bearer = (key: TestKey): [string, string] => ['authorization', `Bearer ${key.text}`];

/** What the upstream got under the names that are latchkey's, in a fixed order. */
function ours(echo: Echo | undefined): [string, string][] {
  const lines = (echo?.headers ?? []).filter(([name]) => OURS.includes(name.toLowerCase()));
  return lines.map(([name, value]): [string, string] => [name, value]).sort();
}

/** A route, who comes, and what the upstream is to be told of them. */
interface Visit {
  readonly path: string;
  readonly key?: () => Promise<TestKey>;
  readonly told: (key: TestKey | undefined) => readonly (readonly [string, string])[];
}

const nothing = () => [];
const principal =
  (scopes: string, plan = 'default', owner?: 'member' | 'orgAdmin') =>
  (key: TestKey | undefined): [string, string][] => {
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

const VISITS: Readonly<Record<string, Visit>> = {
  required: { path: '/v1/read', key: () => stack.keys.create(), told: principal('read') },
  'required, owned key': {
    path: '/v1/read',
    key: () => stack.keys.create({ owner: stack.keys.owners.member, scopes: ['read', 'write'] }),
    told: principal('read write', 'default', 'member'),
  },
  'required, key without scopes': {
    path: '/v1/items/1',
    key: () => stack.keys.create({ scopes: [] }),
    told: principal(''),
  },
  limited: {
    path: '/v1/read',
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

describe.each(ENVOYS)(
  '%s: of the headers that are latchkey’s the upstream gets latchkey’s only',
  (name) => {
    it.each(Object.entries(VISITS))('%s', async (_route, { path, key, told }) => {
      const envoy = envoyNamed(name);
      const own = await key?.();
      const credential: HeaderPairs = own === undefined ? [] : [bearer(own)];
      const answers = [
        await envoy.request({ path, headers: [...forgedHttp1, ...credential, ...once] }),
        await envoy.http2Request({ path, headers: [...forgedHttp2, ...credential] }),
      ];
      for (const answer of answers) {
        expect(answer.status).toBe(200);
        expect(ours(answer.echo())).toEqual(told(own));
        expect(answer.body).not.toContain('evil');
      }
    });

    it('gRPC', async () => {
      const key = await stack.keys.create();
      const headers = [...forgedHttp2, bearer(key)];
      const { code, echo } = await envoyNamed(name).grpcRequest({ headers });
      expect([code, ours(echo)]).toEqual([0, principal('read')(key)]);
      expect(JSON.stringify(echo)).not.toContain('evil');
    });

    it('nor does the client get its own back as limits', async () => {
      const key = await stack.keys.create();
      const answer = await envoyNamed(name).request({
        path: '/v1/read',
        headers: [...forgedHttp1, bearer(key)],
      });
      expect(LIMIT_HEADERS.map((header) => answer.values(header).length)).toEqual([1, 1, 1, 1, 1]);
      expect(answer.headers.flat().join()).not.toContain('evil');
    });
  },
);

describe('spelled with underscores, which some upstreams read as dashes', () => {
  const headers: HeaderPairs = [
    ['X_Principal_Id', 'evil'],
    ['x_principal_plan', 'evil'],
  ];

  it.each(['reference, raw', 'reference, joined'])('%s: refused by Envoy', async (name) => {
    const envoy = envoyNamed(name);
    for (const line of headers) {
      expect((await envoy.request({ path: '/v1/none/x', headers: [line] })).status).toBe(400);
    }
  });

  it.each(['bare, raw', 'bare, joined'])('%s: removed by latchkey', async (name) => {
    const all: HeaderPairs = [...headers, ['x_principal-plan', 'evil'], ['x_mine', 'mine']];
    const { headers: seen } = (
      await envoyNamed(name).request({ path: '/v1/none/x', headers: all })
    ).echo();
    const values = seen.map(([, value]) => value);
    expect(values).not.toContain('evil');
    expect(values).toContain('mine');
  });
});

describe('the client’s address', () => {
  it.each(['reference, raw', 'reference, joined'])(
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
      const response = await envoyNamed(name).request({
        path: '/v1/read',
        headers: [bearer(bound), ...forged],
      });
      expect(response.json()).toMatchObject({ status: 403, code: 'address_not_allowed' });
    },
  );
});

/** Row 15: headers by which some upstreams let a client choose another path or method. */
describe.each(ENVOYS)('%s: a header that names another path or method', (name) => {
  it.each([
    ['X-Original-URL', '/v1/admin'],
    ['X-Rewrite-URL', '/v1/admin'],
    ['X-HTTP-Method-Override', 'DELETE'],
    ['X-Forwarded-Prefix', '/v1/admin'],
    ['x-envoy-original-path', '/v1/admin'],
  ])('%s is not looked at, and strip_headers keeps it from the upstream', async (header, value) => {
    const envoy = envoyNamed(name);
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

describe.each(ENVOYS)('%s: the upstream sees no credential', (name) => {
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
        const { path: query = '', ...rest } = carry(text);
        const answer = await envoyNamed(name).request({ ...rest, path: `${path}${query}` });
        if (answer.status === 200) expectNoTrace(answer.body, valid.text);
        else expect([path, answer.status, text]).not.toContain(valid.text);
      }
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
      const answer = await envoyNamed(name).request(request);
      expect(answer.status).toBe(200);
      expectNoTrace(answer.body, key.text);
      expect(answer.echo().headers).toContainEqual(['x-credential-id', key.id]);
    }
  });

  it('in all places at once, where nobody reads it', async () => {
    const { text } = await stack.keys.create();
    const answer = await envoyNamed(name).request({
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
      const answer = await envoyNamed(name).request({ path: '/v1/none/x', headers });
      expect(answer.status).toBe(200);
      expectNoTrace(answer.body, text);
    }
  });
});

describe.each(ENVOYS)('%s: the rest of the request stays', (name) => {
  it('other cookies beside the credential', async () => {
    const { text } = await stack.keys.create();
    const cookie = `theme=dark; name=J\xc3\xbcrgen; sid=${text}; list="a b"`;
    const answer = await envoyNamed(name).request({
      path: '/v1/read',
      headers: [['cookie', cookie]],
    });
    expect(cookieOf(answer.echo())).toBe('theme=dark; name=J\xc3\xbcrgen; list="a b"');
  });

  it('cookies without a credential, byte for byte', async () => {
    const key = await stack.keys.create();
    const cookie = 'theme=dark;name=J\xc3\xbcrgen ;  list="a b"; =x; flag';
    const answer = await envoyNamed(name).request({
      path: '/v1/read',
      headers: [bearer(key), ['cookie', cookie]],
    });
    expect(cookieOf(answer.echo())).toBe(cookie);
  });

  it('other query parameters; without a credential among them, the very text', async () => {
    const key = await stack.keys.create();
    const query = 'b=2&a=%2f&a=1&flag&plus=+&empty=';
    const untouched = await envoyNamed(name).request({
      path: `/v1/read?${query}`,
      headers: [bearer(key)],
    });
    expect(untouched.echo().path).toBe(`/v1/read?${query}`);
    const stripped = await envoyNamed(name).request({
      path: `/v1/read?api_key=${key.text}&${query}`,
    });
    // Envoy sorts what it rebuilds, and writes `flag=`.
    expect(stripped.echo().path).toBe('/v1/read?a=%2f&a=1&b=2&empty=&flag=&plus=+');
  });

  it('the credential itself, where the route passes it on', async () => {
    const key = await stack.keys.create();
    const echo = (
      await envoyNamed(name).request({ path: '/v1/passing', headers: [bearer(key)] })
    ).echo();
    expect(echo.headers).toContainEqual(bearer(key));
  });
});

const base64 = (text: string): string => Buffer.from(text, 'latin1').toString('base64');

const cookieOf = (echo: Echo): string | undefined =>
  echo.headers.find(([name]) => name === 'cookie')?.[1];

/** Neither the text nor the forms in which a client can write it. */
function expectNoTrace(body: string, text: string): void {
  const forms = [text, base64(text).slice(0, -4), encodeURIComponent(text)];
  expect(forms.filter((form) => body.includes(form))).toEqual([]);
}
