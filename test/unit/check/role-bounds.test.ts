import { describe, expect, it } from 'vitest';
import type { Role } from '../../../src/model/subject.ts';
import { memoryOf, policyOf, subject, tell, verdict } from '../../support/story.ts';

/** Whether a key with all scopes, owned by this role, gets at each scope. */
function held(roles: string, ownerRole: Role | null): string[] {
  const policy = policyOf(`
version: 1
credentials: { bearer: { type: bearer } }
key_format: { also_accept: [k_] }
roles: ${roles}
routes:
  - { name: read, match: { path: /read }, scopes: [read] }
  - { name: write, match: { path: /write }, scopes: [write] }
  - { name: admin, match: { path: /admin }, scopes: [admin] }
`);
  const scopes = ['read', 'write', 'admin'];
  const memory = memoryOf(policy, { k_1: subject({ ownerRole, scopes }) });
  const headers = { authorization: 'Bearer k_1' };
  const passes = (scope: string) =>
    verdict(tell({ policy, memory }, { path: `/${scope}`, headers })) === '200';
  return scopes.filter(passes);
}

describe('the key of a super_admin is bounded by every role that names a bound for it', () => {
  it.each([
    ['{ super_admin: { scopes: [read] } }', ['read']],
    ['{ org_admin: { scopes: [read, write] } }', ['read', 'write']],
    ['{ org_admin: { scopes: [read, write] }, super_admin: { scopes: [read, admin] } }', ['read']],
    ['{ member: { scopes: [read] } }', ['read', 'write', 'admin']],
  ])('%s', (roles, expected) => {
    expect(held(roles, 'super_admin')).toEqual(expected);
  });

  it('the others by their own alone', () => {
    const roles = '{ org_admin: { scopes: [write] }, super_admin: { scopes: [read] } }';
    expect(held(roles, 'org_admin')).toEqual(['write']);
    expect(held(roles, 'member')).toEqual(['read', 'write', 'admin']);
    expect(held(roles, null)).toEqual(['read', 'write', 'admin']);
  });
});
