import { describe, expect, it } from 'vitest';
import { memoryOf, policyOf, subject, tell, verdict } from '../../support/story.ts';

const policy = policyOf(`
version: 1
credentials: { bearer: { type: bearer } }
key_format: { also_accept: [k_] }
routes:
  - name: tenant
    match: { path: '/t/{organization}/x' }
    organization: { from: path_segment, index: 1 }
`);

describe('a tenant named in the path', () => {
  it.each([
    ['Acme Inc', '/t/Acme%20Inc/x', '200'],
    ['Acme Inc', '/t/Acme%2520Inc/x', '403 organization_mismatch'],
    ['Acme%20Inc', '/t/Acme%20Inc/x', '403 organization_mismatch'],
    ['Acme+Inc', '/t/Acme+Inc/x', '200'],
    ['Acme Inc', '/t/Acme+Inc/x', '403 organization_mismatch'],
    ['Größe 漢', '/t/Gr%C3%B6%c3%9fe%20%E6%BC%A2/x', '200'],
    ['acme', '/t/%61cme/x', '200'],
    ['acme', '/t/Acme/x', '403 organization_mismatch'],
  ])('%j at %s → %s', (organizationName, path, expected) => {
    const memory = memoryOf(policy, { k_1: subject({ organizationName }) });
    const headers = { authorization: 'Bearer k_1' };
    expect(verdict(tell({ policy, memory }, { path, headers }))).toBe(expected);
  });
});
