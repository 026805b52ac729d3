import { describe, expect, it } from 'vitest';
import { unknownEnvironment, unknownPlan, unusedScopes } from '../../../src/cli/policy-checks.ts';
import { checkPolicyText } from '../../../src/policy/check-policy.ts';

const POLICY = `
version: 1
credentials: { bearer: { type: bearer } }
key_format: { environments: [live, test] }
scopes: { admin: { implies: [write] }, owner: { implies: [admin] }, idle: { implies: [nothing] } }
plans: { default: { limits: [] }, big: { limits: [] } }
routes:
  - { name: read, match: { path: /read }, scopes: [read] }
  - { name: write, match: { path: /write }, scopes: { any_of: [write, other] } }
`;

const { policy } = checkPolicyText(POLICY);
if (policy === undefined) throw new Error(JSON.stringify(checkPolicyText(POLICY).errors));

describe('held against the policy', () => {
  it('a plan must be one of its plans', () => {
    expect(unknownPlan(null, policy)).toBeUndefined();
    expect(unknownPlan('big', policy)).toBeUndefined();
    expect(unknownPlan('bgi', policy)).toMatchObject({
      reason: 'invalid',
      message: 'The policy has no plan "bgi". It has: default, big.',
    });
  });

  it('an environment must be one of its environments', () => {
    expect(unknownEnvironment('test', policy)).toBeUndefined();
    expect(unknownEnvironment('prod', policy)?.message).toContain('It has: live, test.');
  });

  it.each([
    [['read', 'write', 'other'], []],
    [['admin', 'owner'], []],
    [['raed', 'read'], ['raed']],
    [['idle'], ['idle']],
    [[], []],
  ])('of the scopes %j these open nothing: %j', (scopes, unused) => {
    expect(unusedScopes(scopes, policy)).toEqual(unused);
  });
});
