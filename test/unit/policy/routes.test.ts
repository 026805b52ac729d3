import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { normalisePath } from '../../../src/model/path.ts';
import type { HostTable, MethodTable, PathNode } from '../../../src/model/route-rule.ts';
import { checkPolicyText } from '../../../src/policy/check-policy.ts';
import { formatProblem } from '../../../src/policy/problem.ts';

interface Route {
  readonly name: string;
  readonly path: string;
  readonly hosts?: readonly string[];
  readonly methods?: readonly string[];
}

function compile(routes: readonly Route[]) {
  const entries = routes.map(({ name, ...match }) => ({ name, match, auth: 'none' }));
  return checkPolicyText(JSON.stringify({ version: 1, routes: entries }));
}

function tableOf(routes: readonly Route[]): HostTable {
  const { policy, errors } = compile(routes);
  if (policy === undefined) throw new Error(errors.map(formatProblem).join('\n'));
  return policy.hosts;
}

/** A plain reading of the tables: every template that fits, then the narrowest. */
function lookUp(hosts: HostTable, host: string, raw: string): MethodTable | undefined {
  const path = normalisePath(raw);
  if (path.kind === 'malformed') return undefined;
  const suffixes = [...hosts.suffix]
    .filter(([suffix]) => host.endsWith(`.${suffix}`))
    .sort(([a], [b]) => b.length - a.length)
    .map(([, node]) => node);
  const roots = [hosts.exact.get(host), ...suffixes, hosts.any];
  for (const root of roots) {
    const found = root === undefined ? undefined : descend(root, path.segments);
    if (found !== undefined) return found;
  }
  return undefined;
}

function descend(node: PathNode, segments: readonly string[]): MethodTable | undefined {
  const [segment, ...rest] = segments;
  if (segment === undefined) return node.exact ?? node.rest;
  const literal = node.literals.get(segment);
  const found = literal === undefined ? undefined : descend(literal, rest);
  if (found !== undefined) return found;
  const parameter = segment === '' ? undefined : node.parameter;
  return (parameter === undefined ? undefined : descend(parameter, rest)) ?? node.rest;
}

const ruleName = (table: MethodTable | undefined, method = 'GET') => table?.rules.get(method)?.name;

describe('paths', () => {
  const hosts = tableOf([
    { name: 'root', path: '/' },
    { name: 'scans', path: '/v1/scans' },
    { name: 'scans-slash', path: '/v1/scans/' },
    { name: 'scan', path: '/v1/scans/{id}' },
    { name: 'latest', path: '/v1/scans/latest' },
    { name: 'parts', path: '/v1/scans/{id}/parts' },
    { name: 'admin', path: '/v1/admin/**' },
    { name: 'admin-exact', path: '/v1/admin/users' },
    { name: 'version', path: '/{version}/admin/users/{id}' },
    { name: 'custom', path: '/v1/items:archive' },
    { name: 'accent', path: '/v1/café' },
    { name: 'escaped', path: '/v1/a%20b/%61' },
    { name: 'braces', path: '/v1/%7Bliteral%7D' },
  ]);

  it.each<[raw: string, name: string | undefined]>([
    ['/', 'root'],
    ['/v1/scans', 'scans'],
    ['/v1/scans?x=1', 'scans'],
    ['/v1/scans/', 'scans-slash'],
    ['/v1/scans/7', 'scan'],
    ['/v1/scans/7/', undefined],
    ['/v1/scans/latest', 'latest'],
    ['/v1/scans/%6Catest', 'latest'],
    ['/v1/scans/latest/parts', 'parts'],
    ['/v1/Scans', undefined],
    ['/v1/admin', 'admin'],
    ['/v1/admin/', 'admin'],
    ['/v1/admin/a/b/c', 'admin'],
    ['/v1/admin/users', 'admin-exact'],
    ['/v1/admin/users/7', 'admin'],
    ['/v2/admin/users/7', 'version'],
    ['/v1/administrator', undefined],
    ['/v1', undefined],
    ['/v1/items:archive', 'custom'],
    ['/v1/items%3aarchive', 'custom'],
    ['/v1/caf%C3%A9', 'accent'],
    ['/v1/caf%c3%a9', 'accent'],
    ['/v1/a%20b/a', 'escaped'],
    ['/v1/{literal}', 'braces'],
    ['/v1/%7bliteral%7d', 'braces'],
  ])('%s → %s', (raw, name) => {
    expect(ruleName(lookUp(hosts, 'any.example', raw))).toBe(name);
  });

  it('** at the root takes everything', () => {
    const all = tableOf([{ name: 'all', path: '/**' }]);
    for (const raw of ['/', '/a', '/a/', '/a/b/c']) {
      expect(ruleName(lookUp(all, 'h', raw)), raw).toBe('all');
    }
  });
});

describe('hosts', () => {
  const hosts = tableOf([
    { name: 'exact', path: '/a', hosts: ['API.example.com.', 'other.example'] },
    { name: 'suffix', path: '/a', hosts: ['*.example.com'] },
    { name: 'deeper', path: '/a', hosts: ['*.eu.example.com'] },
    { name: 'any', path: '/a' },
    { name: 'any-b', path: '/b' },
    { name: 'literal', path: '/a', hosts: ['[2001:db8::1]', '192.0.2.1'] },
  ]);

  it.each<[host: string, raw: string, name: string | undefined]>([
    ['api.example.com', '/a', 'exact'],
    ['other.example', '/a', 'exact'],
    ['www.example.com', '/a', 'suffix'],
    ['a.b.example.com', '/a', 'suffix'],
    ['a.eu.example.com', '/a', 'deeper'],
    ['eu.example.com', '/a', 'suffix'],
    ['example.com', '/a', 'any'],
    ['notexample.com', '/a', 'any'],
    ['', '/a', 'any'],
    ['api.example.com', '/b', 'any-b'],
    ['api.example.com', '/c', undefined],
    ['[2001:db8::1]', '/a', 'literal'],
    ['192.0.2.1', '/a', 'literal'],
  ])('%s %s → %s', (host, raw, name) => {
    expect(ruleName(lookUp(hosts, host, raw))).toBe(name);
  });
});

describe('methods', () => {
  const methodsOf = (routes: readonly Route[]) => {
    const table = lookUp(tableOf(routes), 'h', '/a');
    return {
      allow: table?.allow,
      rules: Object.fromEntries(
        [...(table?.rules ?? [])].map(([method, { name }]) => [method, name]),
      ),
    };
  };

  it('a route that names none answers the usual ones, TRACE and CONNECT not among them', () => {
    expect(methodsOf([{ name: 'a', path: '/a' }]).allow).toBe(
      'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS',
    );
  });

  it("HEAD is answered by GET's rule, and Allow says so", () => {
    expect(
      methodsOf([
        { name: 'read', path: '/a', methods: ['GET'] },
        { name: 'write', path: '/a', methods: ['POST', 'PROPFIND', 'DELETE'] },
      ]),
    ).toEqual({
      allow: 'GET, HEAD, POST, DELETE, PROPFIND',
      rules: { GET: 'read', HEAD: 'read', POST: 'write', DELETE: 'write', PROPFIND: 'write' },
    });
  });

  it.each([[['head', 'read']], [['read', 'head']]])(
    'a rule that names HEAD has it: %j',
    (order) => {
      const routes = order.map((name) => ({
        name,
        path: '/a',
        methods: [name === 'head' ? 'HEAD' : 'GET'],
      }));
      expect(methodsOf(routes).rules).toEqual({ GET: 'read', HEAD: 'head' });
    },
  );

  it('HEAD is not answered where GET is not', () => {
    expect(methodsOf([{ name: 'a', path: '/a', methods: ['POST'] }]).allow).toBe('POST');
  });

  it('templates of one shape share their methods, whatever their parameters are called', () => {
    const hosts = tableOf([
      { name: 'read', path: '/a/{id}', methods: ['GET'] },
      { name: 'write', path: '/a/{name}', methods: ['PUT'] },
    ]);
    expect(lookUp(hosts, 'h', '/a/1')?.allow).toBe('GET, HEAD, PUT');
  });

  it('a path where one rule hides tells nothing of its methods', () => {
    const text = `version: 1
credentials: { bearer: { type: bearer } }
routes:
  - { name: open, match: { path: /a, methods: [GET] } }
  - { name: hidden, match: { path: /a, methods: [PUT] }, hide: true }
  - { name: other, match: { path: /b } }
`;
    const hosts = checkPolicyText(text).policy?.hosts;
    if (hosts === undefined) throw new Error('the policy of this test must compile');
    expect(lookUp(hosts, 'h', '/a')?.hide).toBe(true);
    expect(lookUp(hosts, 'h', '/b')?.hide).toBe(false);
  });
});

const part = fc.constantFrom('a', 'b', '{x}', '{y}');
const template = fc
  .tuple(fc.array(part, { minLength: 1, maxLength: 3 }), fc.constantFrom('', '/**', '/'))
  .map(
    ([parts, end]) =>
      `/${parts.map((text, index) => text.replace('}', `${index}}`)).join('/')}${end}`,
  );
const request = fc
  .array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 4 })
  .map((segments) => `/${segments.join('/')}`);

function fits(path: string, raw: string): boolean {
  const pattern = path.replace(/\/\*\*$/, '(/.*)?').replace(/\{[^}]*\}/g, '[^/]+');
  return new RegExp(`^${pattern}$`).test(raw);
}

describe('properties', () => {
  it('a request meets a route exactly if some template fits it', () => {
    fc.assert(
      fc.property(fc.array(template, { minLength: 1, maxLength: 6 }), request, (paths, raw) => {
        const shapes = new Map(paths.map((path) => [path.replace(/\{[^}]*\}/g, '{}'), path]));
        const routes = [...shapes.values()].map((path, index) => ({ name: `r${index}`, path }));
        const met = ruleName(lookUp(tableOf(routes), 'h', raw));
        const fitting = routes.filter(({ path }) => fits(path, raw)).map(({ name }) => name);
        if (met === undefined) expect(fitting).toEqual([]);
        else expect(fitting).toContain(met);
      }),
      { numRuns: 1_000 },
    );
  });

  it('two routes are refused exactly if they share a host, a shape and a method', () => {
    const hosts = fc.subarray(['x.example', 'y.example', '*.example', '*'], { minLength: 1 });
    const methods = fc.subarray(['GET', 'PUT', 'HEAD'], { minLength: 1 });
    const route = fc.record({ path: template, hosts, methods });
    fc.assert(
      fc.property(route, route, (one, two) => {
        const shape = (path: string) => path.replace(/\{[^}]*\}/g, '{}');
        const overlap =
          shape(one.path) === shape(two.path) &&
          one.hosts.some((host) => two.hosts.includes(host)) &&
          one.methods.some((method) => two.methods.includes(method));
        const { errors } = compile([
          { name: 'one', ...one },
          { name: 'two', ...two },
        ]);
        expect(errors.length).toBe(overlap ? 1 : 0);
      }),
      { numRuns: 1_000 },
    );
  });
});
