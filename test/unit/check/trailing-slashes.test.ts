import { describe, expect, it } from 'vitest';
import { memoryOf, policyOf, subject, tell, verdict } from '../../support/story.ts';

const policy = policyOf(`
version: 1
credentials: { bearer: { type: bearer } }
key_format: { also_accept: [k_] }
routes:
  - { name: broad, match: { path: /** }, scopes: [read] }
  - { name: admin, match: { path: /admin }, scopes: [admin] }
  - { name: user, match: { path: '/users/{id}' }, scopes: [admin] }
  - { name: slashed, match: { path: /slashed/ }, scopes: [admin] }
  - { name: both, match: { path: /both }, scopes: [admin] }
  - { name: both-slashed, match: { path: /both/ }, scopes: [read] }
  - { name: tree, match: { path: /tree }, scopes: [admin] }
  - { name: below, match: { path: /tree/** }, scopes: [read] }
  - { name: host-admin, match: { path: /host, hosts: [api.example.com] }, scopes: [admin] }
  - { name: literal, match: { path: /sets/own }, scopes: [admin] }
  - { name: parameter, match: { path: '/sets/{name}/' }, scopes: [read] }
`);
const memory = memoryOf(policy, { k_reader: subject({ scopes: ['read'] }) });

/** Many services take `/admin` and `/admin/` for one path: what is refused in one spelling must not pass in the other. */
describe('a path that a route names but for its trailing slash is not handed to a broader route', () => {
  it.each([
    ['/admin', '403 scope_missing'],
    ['/admin/', '404 route_not_found'],
    ['/admin/x', '200'],
    ['/users/5', '403 scope_missing'],
    ['/users/5/', '404 route_not_found'],
    ['/users/', '200'],
    ['/slashed/', '403 scope_missing'],
    ['/slashed', '404 route_not_found'],
    ['/both', '403 scope_missing'],
    ['/both/', '200'],
    ['/host/', '404 route_not_found'],
    ['/sets/own/', '404 route_not_found'],
    ['/sets/other/', '200'],
    ['/other/', '200'],
    ['/', '200'],
  ])('%s → %s', (path, expected) => {
    const headers = { authorization: 'Bearer k_reader' };
    expect(verdict(tell({ policy, memory }, { path, headers }))).toBe(expected);
  });

  it('but ** of the same path covers it, as written', () => {
    const headers = { authorization: 'Bearer k_reader' };
    expect(verdict(tell({ policy, memory }, { path: '/tree/', headers }))).toBe('200');
  });
});
