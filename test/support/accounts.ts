import { createHash } from 'node:crypto';
import type { NewKey } from '../../src/accounts/ports.ts';
import type { KeyId, OrganizationId, UserId } from '../../src/model/ids.ts';
import type { StoredDigest } from '../../src/model/stored-digest.ts';
import { createOrganizationStore } from '../../src/postgres/organization-store.ts';
import type { Database } from '../../src/postgres/pool.ts';
import { createUserStore } from '../../src/postgres/user-store.ts';

export const keyId = (id: string) => id as KeyId;
export const userId = (id: string) => id as UserId;
export const organizationId = (id: string) => id as OrganizationId;

/** The digest that the store would hold for a credential of this text, without a pepper. */
export function digestOf(text: string, pepperVersion = 0): StoredDigest {
  return { pepperVersion, bytes: new Uint8Array(createHash('sha256').update(text).digest()) };
}

/** A key of organization `o1` whose credential's text is its id. */
export function newKey(id: string, changes: Partial<NewKey> = {}): NewKey {
  return {
    id: keyId(id),
    name: `Key ${id}`,
    organizationId: organizationId('o1'),
    ownerId: null,
    environment: 'live',
    scopes: ['read'],
    plan: null,
    allowedCidrs: [],
    metadata: {},
    expiresAtMs: null,
    secret: { digest: digestOf(id), start: `lk_live_${id}` },
    ...changes,
  };
}

/** Organization `o1` with user `u1`. */
export async function seedOrganization(database: Database): Promise<void> {
  const context = { actor: 'test', signal: AbortSignal.timeout(10_000) };
  const organization = { id: organizationId('o1'), name: 'First', plan: null };
  await createOrganizationStore(database).create(organization, context);
  await createUserStore(database).create(
    {
      id: userId('u1'),
      organizationId: organizationId('o1'),
      name: 'Ann',
      email: 'ann@example.com',
      role: 'member',
    },
    context,
  );
}
