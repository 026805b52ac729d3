import { expect, it } from 'vitest';
import type { KeyRecord, SecretRecord } from '../../../src/accounts/ports.ts';
import { keyState } from '../../../src/cli/key-fields.ts';
import { keyId, organizationId } from '../../support/accounts.ts';

const NOW = 1_000;

const secret = (expiresAtMs: number | null): SecretRecord => ({
  ...{ start: 'lk_live_k', pepperVersion: 0, createdAtMs: 0, expiresAtMs },
});

const key = (changes: Partial<KeyRecord>): KeyRecord => ({
  ...{ id: keyId('k'), name: 'ci', organizationId: organizationId('o'), ownerId: null },
  ...{ environment: 'live', scopes: [], plan: null, allowedCidrs: [], metadata: {} },
  ...{ createdAtMs: 0, expiresAtMs: null, disabledAtMs: null, revokedAtMs: null },
  ...{ lastUsedAtMs: null, lastUsedAddress: null, secrets: [secret(null)] },
  ...changes,
});

it.each([
  ['active', {}],
  ['active', { expiresAtMs: NOW + 1 }],
  ['active', { secrets: [secret(NOW), secret(null)] }],
  ['rotating', { secrets: [secret(NOW + 1), secret(null)] }],
  ['expired', { expiresAtMs: NOW }],
  ['expired', { secrets: [secret(NOW)] }],
  ['disabled', { disabledAtMs: 5, expiresAtMs: NOW }],
  ['revoked', { revokedAtMs: 5, disabledAtMs: 5, expiresAtMs: NOW }],
])('is %s: %j', (state, changes) => {
  expect(keyState(key(changes), NOW)).toBe(state);
});
