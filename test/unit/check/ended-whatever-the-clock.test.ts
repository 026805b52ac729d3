import { describe, expect, it } from 'vitest';
import { memoryOf, NOW, policyOf, subject, tell, verdict } from '../../support/story.ts';

const policy = policyOf(`
version: 1
credentials: { bearer: { type: bearer } }
key_format: { also_accept: [k_] }
routes: [ { name: a, match: { path: /a } } ]
`);

describe('a clock that runs behind the database’s does not keep a key alive that was', () => {
  it.each([
    ['revoked', 'revokedAtMs', 'key_revoked'],
    ['disabled', 'disabledAtMs', 'key_disabled'],
    ['disabled with its organization', 'organizationDisabledAtMs', 'organization_disabled'],
    ['disabled with its owner', 'ownerDisabledAtMs', 'owner_disabled'],
  ])('%s', (_how, field, reason) => {
    const memory = memoryOf(policy, { k_1: subject({ [field]: NOW.wallMs + 60_000 }) });
    const headers = { authorization: 'Bearer k_1' };
    expect(verdict(tell({ policy, memory }, { path: '/a', headers }))).toBe(`401 ${reason}`);
  });
});
