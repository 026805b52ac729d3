import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { KeyStore } from '../../../src/authenticators/ports.ts';
import { cidrListContains, parseAddress } from '../../../src/model/address.ts';
import { createKeyAdminStore } from '../../../src/postgres/key-admin-store.ts';
import { createKeyStore } from '../../../src/postgres/key-store.ts';
import { createOrganizationStore } from '../../../src/postgres/organization-store.ts';
import type { Database } from '../../../src/postgres/pool.ts';
import { createUserStore } from '../../../src/postgres/user-store.ts';
import {
  digestOf,
  keyId,
  newKey,
  organizationId,
  seedOrganization,
  userId,
} from '../../support/accounts.ts';
import { startTestPostgres, type TestPostgres } from '../../support/postgres.ts';

const signal = AbortSignal.timeout(60_000);
const context = { actor: 'test', signal };

let postgres: TestPostgres;
let database: Database;
let store: KeyStore;
let messages: string[];

beforeAll(async () => {
  postgres = await startTestPostgres();
  database = postgres.database();
  await seedOrganization(database);
});

afterAll(() => postgres.close());

beforeEach(() => {
  messages = [];
  store = createKeyStore(database, (_level, message, fields) =>
    messages.push(`${message} ${JSON.stringify(fields)}`),
  );
});

async function create(...arguments_: Parameters<typeof newKey>): Promise<void> {
  const created = await createKeyAdminStore(database).create(newKey(...arguments_), context);
  if (created.kind !== 'created') throw new Error(JSON.stringify(created));
}

async function found(...digests: Parameters<KeyStore['findKey']>[0]) {
  const loaded = await store.findKey(digests, signal);
  if (loaded.kind !== 'found') throw new Error(loaded.kind);
  return loaded;
}

describe('findKey()', () => {
  it('gives the key with its owner and its organization, times in milliseconds, and where it was read', async () => {
    await create('full', {
      ownerId: userId('u1'),
      scopes: ['read', 'write'],
      plan: 'developer',
      allowedCidrs: ['10.0.0.0/8', '2001:db8::/32'],
      expiresAtMs: 1_900_000_000_123,
    });
    const loaded = await found(digestOf('full'));
    expect(loaded).toMatchObject({
      kind: 'found',
      secretExpiresAtMs: null,
      at: { epoch: expect.stringMatching(/^\d+:\d{8}:\d+$/), version: expect.any(Number) },
      subject: {
        id: 'key:full',
        keyId: 'full',
        environment: 'live',
        scopes: ['read', 'write'],
        plan: 'developer',
        organizationId: 'o1',
        organizationName: 'First',
        organizationPlan: null,
        organizationDisabledAtMs: null,
        ownerId: 'u1',
        ownerRole: 'member',
        ownerDisabledAtMs: null,
        expiresAtMs: 1_900_000_000_123,
        disabledAtMs: null,
        revokedAtMs: null,
      },
    });
    const inside = parseAddress('10.1.2.3');
    const outside = parseAddress('11.1.2.3');
    if (inside === undefined || outside === undefined) throw new Error('unreadable address');
    expect(cidrListContains(loaded.subject.allowedCidrs, inside)).toBe(true);
    expect(cidrListContains(loaded.subject.allowedCidrs, outside)).toBe(false);
  });

  it('says absent, with a position, for a digest that no key has, and for the right one under another pepper', async () => {
    await create('peppered', { secret: { digest: digestOf('peppered', 2), start: 's' } });
    expect(await store.findKey([digestOf('nothing')], signal)).toEqual({
      kind: 'absent',
      at: { epoch: expect.any(String), version: expect.any(Number) },
    });
    expect((await store.findKey([digestOf('peppered', 1)], signal)).kind).toBe('absent');
    expect((await store.findKey([], signal)).kind).toBe('absent');
    expect((await found(digestOf('nothing', 2), digestOf('peppered', 2))).subject.keyId).toBe(
      'peppered',
    );
  });

  it('of several digests that are known, the first counts', async () => {
    await create('first');
    await create('second');
    expect((await found(digestOf('second'), digestOf('first'))).subject.keyId).toBe('second');
    expect((await found(digestOf('first'), digestOf('second'))).subject.keyId).toBe('first');
  });

  it('shows what was revoked or disabled, on the key, its owner and its organization', async () => {
    const keys = createKeyAdminStore(database);
    const other = organizationId('o9');
    await createOrganizationStore(database).create(
      { id: other, name: 'Ninth', plan: 'big' },
      context,
    );
    const owner = {
      id: userId('u9'),
      organizationId: other,
      name: 'N',
      email: null,
      role: 'org_admin',
    } as const;
    await createUserStore(database).create(owner, context);
    await create('ended', { organizationId: other, ownerId: userId('u9') });
    await keys.setDisabled(keyId('ended'), true, context);
    await keys.revoke(keyId('ended'), context);
    await createUserStore(database).setDisabled(userId('u9'), true, context);
    const switched = await createOrganizationStore(database).setDisabled(other, true, context);
    const { subject, at } = await found(digestOf('ended'));
    expect(subject).toMatchObject({
      disabledAtMs: expect.any(Number),
      revokedAtMs: expect.any(Number),
      ownerRole: 'org_admin',
      ownerDisabledAtMs: expect.any(Number),
      organizationPlan: 'big',
      organizationDisabledAtMs: expect.any(Number),
    });
    expect(at).toEqual(switched.kind === 'switched' && switched.at);
  });

  it('each secret of a rotating key finds it, with its own end', async () => {
    await create('turning');
    const endsAtMs = Date.now() + 60_000;
    const secret = { digest: digestOf('turned'), start: 's' };
    const rotation = {
      id: keyId('turning'),
      secret,
      oldSecret: { kind: 'at', ms: endsAtMs },
    } as const;
    await createKeyAdminStore(database).rotate(rotation, context);
    expect((await found(digestOf('turning'))).secretExpiresAtMs).toBeCloseTo(endsAtMs, 0);
    expect((await found(digestOf('turned'))).secretExpiresAtMs).toBeNull();
  });
});

describe('a row that cannot be understood makes its key unusable, never unrestricted', () => {
  it.each([
    [
      'a CIDR that is none',
      "UPDATE latchkey.api_keys SET allowed_cidrs = '{10.0.0.0/8,nonsense}' WHERE id = 'corrupt'",
    ],
    ['only such', "UPDATE latchkey.api_keys SET allowed_cidrs = '{nonsense}' WHERE id = 'corrupt'"],
    ['a role of a later release', "UPDATE latchkey.users SET role = 'overlord' WHERE id = 'u1'"],
  ])('%s', async (name, tampering) => {
    await create('corrupt', {
      ownerId: userId('u1'),
      secret: { digest: digestOf(name), start: 's' },
    });
    await postgres.sql(`
      ALTER TABLE latchkey.api_keys DROP CONSTRAINT IF EXISTS api_keys_allowed_cidrs_check;
      ALTER TABLE latchkey.users DROP CONSTRAINT IF EXISTS users_role_check;
      ${tampering}`);
    const { subject } = await found(digestOf(name));
    expect(subject.disabledAtMs).toBe(0);
    expect(messages.join()).toContain('corrupt');
    await postgres.sql(
      "DELETE FROM latchkey.api_keys WHERE id = 'corrupt'; UPDATE latchkey.users SET role = 'member'",
    );
  });

  it('and the table itself does not take such a CIDR', async () => {
    const url = await postgres.createDatabase('untouched');
    for (const cidrs of ['{nonsense}', '{10.0.0.1/8}', '{NULL}']) {
      const insert = `INSERT INTO latchkey.organizations (id, name) VALUES ('o', 'O') ON CONFLICT DO NOTHING;
        INSERT INTO latchkey.api_keys (id, name, organization_id, environment, allowed_cidrs) VALUES ('c', 'C', 'o', 'live', '${cidrs}')`;
      await expect(postgres.sql(insert, [], url)).rejects.toThrow('api_keys_allowed_cidrs_check');
    }
  });
});

describe('a secret that a rotation ended at once', () => {
  it('has ended for every clock, also one that runs behind the database’s', async () => {
    await create('rotated');
    const rotated = await createKeyAdminStore(database).rotate(
      {
        id: keyId('rotated'),
        secret: { digest: digestOf('successor'), start: 'lk_live_rotated' },
        oldSecret: { kind: 'at_once' },
      },
      context,
    );
    expect(rotated.kind).toBe('rotated');
    expect((await found(digestOf('rotated'))).secretExpiresAtMs).toBe(0);
    expect((await found(digestOf('successor'))).secretExpiresAtMs).toBeNull();
  });
});
