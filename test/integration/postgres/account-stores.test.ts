import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { KeyAdminStore, OrganizationStore, UserStore } from '../../../src/accounts/ports.ts';
import { createKeyAdminStore } from '../../../src/postgres/key-admin-store.ts';
import { KEY_IMPORT_MAX } from '../../../src/postgres/key-import.ts';
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
import { until } from '../../support/until.ts';

const signal = AbortSignal.timeout(60_000);
const context = { actor: 'cli:ann', signal };

let postgres: TestPostgres;
let database: Database;
let organizations: OrganizationStore;
let users: UserStore;
let keys: KeyAdminStore;

beforeAll(async () => {
  postgres = await startTestPostgres();
  database = postgres.database();
  organizations = createOrganizationStore(database);
  users = createUserStore(database);
  keys = createKeyAdminStore(database);
});

afterAll(() => postgres.close());

beforeEach(async () => {
  await postgres.sql('TRUNCATE latchkey.organizations CASCADE; TRUNCATE latchkey.audit_log');
  await seedOrganization(database);
  await postgres.sql('TRUNCATE latchkey.audit_log');
});

const audit = () =>
  postgres.sql<{
    actor: string;
    verb: string;
    object_kind: string;
    object_id: string;
    organization_id: string;
    details: object;
  }>(
    'SELECT actor, verb, object_kind, object_id, organization_id, details FROM latchkey.audit_log ORDER BY id',
  );

const verbs = async () => (await audit()).map(({ verb }) => verb);

describe('organizations', () => {
  const second = { id: organizationId('o2'), name: 'Second', plan: 'big' };

  it('are created, found by id and by name, and listed in pages', async () => {
    const created = await organizations.create(second, context);
    const record = { ...second, createdAtMs: expect.any(Number), disabledAtMs: null };
    expect(created).toEqual({
      kind: 'created',
      record,
      at: expect.objectContaining({ version: expect.any(Number) }),
    });
    expect(await organizations.find('o2', signal)).toEqual(record);
    expect(await organizations.find('Second', signal)).toEqual(record);
    expect(await organizations.find('none', signal)).toBeUndefined();
    const first = await organizations.list({ limit: 1 }, signal);
    expect(first).toMatchObject({ items: [{ id: 'o1' }], nextAfterId: 'o1' });
    const rest = await organizations.list({ limit: 1, afterId: 'o1' }, signal);
    expect(rest).toMatchObject({ items: [{ id: 'o2' }], nextAfterId: null });
  });

  it('an id wins over a name that looks like it', async () => {
    await organizations.create({ id: organizationId('x'), name: 'o1', plan: null }, context);
    expect(await organizations.find('o1', signal)).toMatchObject({ id: 'o1', name: 'First' });
  });

  it.each([
    [{ id: organizationId('o1') }, { kind: 'id_taken' }],
    [{ name: 'First' }, { kind: 'name_taken' }],
    [{ name: '' }, { kind: 'unstorable_text', field: 'name' }],
    [{ name: 'x'.repeat(201) }, { kind: 'unstorable_text', field: 'name' }],
    [
      { name: 'a\0b' },
      { kind: 'unstorable_text', field: 'name', problem: 'it contains the character NUL' },
    ],
    [{ name: 'a\ud800' }, { kind: 'unstorable_text', field: 'name' }],
    [{ id: organizationId("'; DROP TABLE x; --") }, { kind: 'unstorable_text', field: 'id' }],
  ])('%j is answered by a value, and leaves nothing behind', async (change, expected) => {
    expect(await organizations.create({ ...second, ...change }, context)).toMatchObject(expected);
    expect(await verbs()).toEqual([]);
  });

  it('are disabled and enabled, each once', async () => {
    const o1 = organizationId('o1');
    expect(await organizations.setDisabled(o1, true, context)).toMatchObject({
      kind: 'switched',
      changed: true,
      record: { disabledAtMs: expect.any(Number) },
    });
    expect(await organizations.setDisabled(o1, true, context)).toMatchObject({ changed: false });
    expect(await organizations.setDisabled(o1, false, context)).toMatchObject({
      changed: true,
      record: { disabledAtMs: null },
    });
    expect(await organizations.setDisabled(organizationId('none'), true, context)).toEqual({
      kind: 'absent',
    });
    expect(await organizations.setDisabled(organizationId('\0'), true, context)).toEqual({
      kind: 'absent',
    });
    expect(await verbs()).toEqual(['organization.disable', 'organization.enable']);
  });
});

describe('users', () => {
  const second = {
    id: userId('u2'),
    organizationId: organizationId('o1'),
    name: 'Bo',
    email: 'bo@example.com',
    role: 'org_admin',
  } as const;

  it('are created, found by id and by e-mail in any case, and listed by organization', async () => {
    await users.create(second, context);
    const record = { ...second, createdAtMs: expect.any(Number), disabledAtMs: null };
    expect(await users.find('u2', signal)).toEqual(record);
    expect(await users.find('BO@example.com', signal)).toEqual(record);
    expect(
      await users.list({ organizationId: organizationId('o1') }, { limit: 10 }, signal),
    ).toMatchObject({ items: [{ id: 'u1' }, { id: 'u2' }], nextAfterId: null });
    expect(
      await users.list({ organizationId: organizationId('o2') }, { limit: 10 }, signal),
    ).toEqual({ items: [], nextAfterId: null });
  });

  it.each([
    [{ id: userId('u1') }, { kind: 'id_taken' }],
    [{ email: 'ANN@example.com' }, { kind: 'email_taken' }],
    [{ organizationId: organizationId('none') }, { kind: 'organization_absent' }],
    [{ email: '\0' }, { kind: 'unstorable_text', field: 'email' }],
    [{ email: 'x' }, { kind: 'unstorable_text', field: 'email' }],
  ])('%j is answered by a value', async (change, expected) => {
    expect(await users.create({ ...second, ...change }, context)).toMatchObject(expected);
  });

  it('are disabled and enabled', async () => {
    expect(await users.setDisabled(userId('u1'), true, context)).toMatchObject({
      kind: 'switched',
      changed: true,
    });
    expect(await users.setDisabled(userId('u1'), false, context)).toMatchObject({
      changed: true,
      record: { disabledAtMs: null },
    });
    expect(await users.setDisabled(userId('none'), true, context)).toEqual({ kind: 'absent' });
    expect(await verbs()).toEqual(['user.disable', 'user.enable']);
  });
});

describe('keys', () => {
  const full = newKey('k1', {
    ownerId: userId('u1'),
    scopes: ['read', "it's"],
    plan: 'big',
    allowedCidrs: ['10.0.0.0/8'],
    metadata: { team: 'a', nested: { list: [1, null, true] } },
    expiresAtMs: 1_900_000_000_000,
  });

  it('are created as they were asked for, found and listed, and never show a digest', async () => {
    const created = await keys.create(full, context);
    const { secret, ...rest } = full;
    const record = {
      ...rest,
      createdAtMs: expect.any(Number),
      disabledAtMs: null,
      revokedAtMs: null,
      lastUsedAtMs: null,
      lastUsedAddress: null,
      secrets: [
        {
          start: secret.start,
          pepperVersion: 0,
          createdAtMs: expect.any(Number),
          expiresAtMs: null,
        },
      ],
    };
    expect(created).toMatchObject({ kind: 'created', record });
    expect(await keys.find(keyId('k1'), signal)).toEqual(record);
    await keys.create(newKey('k2'), context);
    const page = { limit: 10 };
    expect((await keys.list({ ownerId: userId('u1') }, page, signal)).items).toEqual([record]);
    expect(
      (await keys.list({ organizationId: organizationId('o1') }, page, signal)).items,
    ).toHaveLength(2);
    expect((await keys.list({}, { limit: 1 }, signal)).nextAfterId).toBe('k1');
    const written = JSON.stringify([await audit(), await keys.list({}, page, signal)]);
    for (const encoding of ['hex', 'base64', 'base64url'] as const) {
      expect(written).not.toContain(Buffer.from(secret.digest.bytes).toString(encoding));
    }
  });

  it('leave an audit row with what was granted', async () => {
    await keys.create(full, context);
    expect(await audit()).toEqual([
      {
        actor: 'cli:ann',
        verb: 'key.create',
        object_kind: 'key',
        object_id: 'k1',
        organization_id: 'o1',
        details: {
          name: 'Key k1',
          owner_id: 'u1',
          environment: 'live',
          scopes: ['read', "it's"],
          plan: 'big',
          allowed_cidrs: ['10.0.0.0/8'],
          expires_at_ms: 1_900_000_000_000,
          start: 'lk_live_k1',
        },
      },
    ]);
  });

  it.each([
    [{ id: keyId('taken') }, { kind: 'id_taken' }],
    [{ secret: { digest: digestOf('taken'), start: 's' } }, { kind: 'digest_taken' }],
    [{ organizationId: organizationId('none') }, { kind: 'organization_absent' }],
    [{ ownerId: userId('none') }, { kind: 'owner_absent' }],
    [{ organizationId: organizationId('o2'), ownerId: userId('u1') }, { kind: 'owner_absent' }],
    [{ allowedCidrs: ['10.0.0.1/8'] }, { kind: 'invalid_cidr', cidr: '10.0.0.1/8' }],
    [{ allowedCidrs: ['10.0.0.0/8', ''] }, { kind: 'invalid_cidr', cidr: '' }],
    [{ name: 'a\0' }, { kind: 'unstorable_text', field: 'name' }],
    [{ scopes: ['a', 'b\0'] }, { kind: 'unstorable_text', field: 'scopes' }],
    [{ metadata: { deep: [{ 'a\0': 1 }] } }, { kind: 'unstorable_text', field: 'metadata' }],
    [{ metadata: { big: 'x'.repeat(70_000) } }, { kind: 'unstorable_text', field: 'metadata' }],
    [{ environment: '' }, { kind: 'unstorable_text', field: 'environment' }],
    [{ secret: { digest: digestOf('n'), start: 'x'.repeat(65) } }, { kind: 'unstorable_text' }],
  ])('%j is answered by a value, and leaves nothing behind', async (change, expected) => {
    await organizations.create({ id: organizationId('o2'), name: 'Second', plan: null }, context);
    await keys.create(newKey('taken'), context);
    const before = await verbs();
    expect(await keys.create({ ...newKey('new'), ...change }, context)).toMatchObject(expected);
    expect(await verbs()).toEqual(before);
    expect((await keys.list({}, { limit: 10 }, signal)).items.map(({ id }) => id)).toEqual([
      'taken',
    ]);
  });

  it('are revoked once and for good, disabled and enabled', async () => {
    await keys.create(full, context);
    const id = keyId('k1');
    const revoked = await keys.revoke(id, context);
    expect(revoked).toMatchObject({
      kind: 'revoked',
      changed: true,
      record: { revokedAtMs: expect.any(Number) },
    });
    const again = await keys.revoke(id, context);
    expect(again).toMatchObject({
      changed: false,
      record: revoked.kind === 'revoked' ? revoked.record : {},
    });
    expect(again.kind === 'revoked' && revoked.kind === 'revoked' && again.at).toEqual(
      revoked.kind === 'revoked' && revoked.at,
    );
    expect(await keys.setDisabled(id, true, context)).toMatchObject({ changed: true });
    expect(await keys.setDisabled(id, false, context)).toMatchObject({
      changed: true,
      record: { disabledAtMs: null },
    });
    for (const absent of ['none', 'a\0']) {
      expect(await keys.revoke(keyId(absent), context)).toEqual({ kind: 'absent' });
      expect(await keys.find(keyId(absent), signal)).toBeUndefined();
    }
    expect(await verbs()).toEqual(['key.create', 'key.revoke', 'key.disable', 'key.enable']);
  });
});

describe('rotation', () => {
  const rotate = (text: string, oldSecret: { kind: 'at_once' } | { kind: 'at'; ms: number }) =>
    keys.rotate(
      { id: keyId('k1'), secret: { digest: digestOf(text), start: `lk_${text}` }, oldSecret },
      context,
    );
  const ends = async () =>
    (await keys.find(keyId('k1'), signal))?.secrets.map(({ start, expiresAtMs }) => [
      start,
      expiresAtMs,
    ]);
  const laterMs = Date.now() + 3_600_000;

  beforeEach(() => keys.create(newKey('k1'), context));

  it('gives the old secret its end, and at most two live', async () => {
    expect((await rotate('second', { kind: 'at', ms: laterMs })).kind).toBe('rotated');
    expect(await ends()).toEqual([
      ['lk_live_k1', laterMs],
      ['lk_second', null],
    ]);
    const refused = await rotate('third', { kind: 'at', ms: laterMs });
    expect(refused).toEqual({ kind: 'two_live_secrets', oldExpiresAtMs: laterMs });
    expect(await verbs()).toEqual(['key.create', 'key.rotate']);
  });

  it('at once ends every older secret now, also while rotating', async () => {
    await rotate('second', { kind: 'at', ms: laterMs });
    const rotated = await rotate('third', { kind: 'at_once' });
    if (rotated.kind !== 'rotated') throw new Error(rotated.kind);
    const [first, second, third] = rotated.record.secrets.map(({ expiresAtMs }) => expiresAtMs);
    expect(first).toBeLessThanOrEqual(Date.now());
    expect(second).toBeLessThanOrEqual(Date.now());
    expect(third).toBeNull();
  });

  it('never lengthens the life of a secret', async () => {
    await rotate('second', { kind: 'at', ms: laterMs });
    await postgres.sql(
      'UPDATE latchkey.api_key_secrets SET expires_at = now() + interval $$1 minute$$ WHERE expires_at IS NULL',
    );
    await postgres.sql(
      "UPDATE latchkey.api_key_secrets SET expires_at = now() - interval '1 second' WHERE start = 'lk_live_k1'",
    );
    await rotate('third', { kind: 'at', ms: laterMs });
    const [first, second] = (await ends()) ?? [];
    expect(first?.[1]).toBeLessThan(Date.now());
    expect(second?.[1]).toBeLessThan(laterMs);
  });

  it('two at once never make three live secrets', async () => {
    const other = postgres.database();
    const results = await other.transaction(async (session) => {
      // Holds both up where each has looked at the secrets, if it could.
      const hold = { name: 'hold', text: 'SELECT 1 FROM latchkey.api_key_secrets FOR UPDATE' };
      await session.query(hold, []);
      const rotations = ['a', 'b'].map((text) => rotate(text, { kind: 'at', ms: laterMs }));
      await until('both wait', async () => {
        const waiting = await postgres.sql(
          'SELECT 1 FROM pg_stat_activity WHERE wait_event_type = $$Lock$$',
        );
        return waiting.length === 2;
      });
      return rotations;
    }, signal);
    expect((await Promise.all(results)).map(({ kind }) => kind).sort()).toEqual([
      'rotated',
      'two_live_secrets',
    ]);
  });

  it('is refused for a revoked or absent key and for a digest in use', async () => {
    await keys.create(newKey('k2'), context);
    expect(await rotate('k2', { kind: 'at_once' })).toEqual({ kind: 'digest_taken' });
    const live = await keys.find(keyId('k1'), signal);
    expect(live?.secrets.map(({ expiresAtMs }) => expiresAtMs)).toEqual([null]);
    await keys.revoke(keyId('k1'), context);
    expect(await rotate('second', { kind: 'at_once' })).toEqual({ kind: 'revoked' });
    const secret = { digest: digestOf('z'), start: 's' };
    expect(
      await keys.rotate({ id: keyId('none'), secret, oldSecret: { kind: 'at_once' } }, context),
    ).toEqual({ kind: 'absent' });
  });
});

describe('import', () => {
  const batch = (count: number) => Array.from({ length: count }, (_, n) => newKey(`i${n}`));

  it('takes many keys in one go, each with its audit row', async () => {
    const result = await keys.importKeys(batch(1_500), context);
    expect(result).toMatchObject({ kind: 'imported', count: 1_500 });
    expect(await keys.find(keyId('i1499'), signal)).toMatchObject({
      secrets: [{ start: 'lk_live_i1499' }],
    });
    expect(await verbs()).toHaveLength(1_500);
  });

  it('all or none, and says which row is wrong and why', async () => {
    await keys.create(newKey('taken'), context);
    const rows = [
      newKey('fine'),
      newKey('taken', { secret: { digest: digestOf('other'), start: 's' } }),
      newKey('dup-digest', { secret: { digest: digestOf('taken'), start: 's' } }),
      newKey('lost', { organizationId: organizationId('none') }),
      newKey('orphan', { ownerId: userId('none') }),
    ];
    expect(await keys.importKeys(rows, context)).toEqual({
      kind: 'rejected',
      problems: [
        { index: 1, problem: { kind: 'id_taken' } },
        { index: 2, problem: { kind: 'digest_taken' } },
        { index: 3, problem: { kind: 'organization_absent' } },
        { index: 4, problem: { kind: 'owner_absent' } },
      ],
    });
    expect((await keys.list({}, { limit: 10 }, signal)).items).toHaveLength(1);
  });

  it('finds what is wrong within the batch before it asks the server', async () => {
    const rows = [
      newKey('a'),
      newKey('a'),
      newKey('b', { allowedCidrs: ['x'] }),
      newKey('c', { name: '\0' }),
    ];
    expect(await keys.importKeys(rows, context)).toMatchObject({
      kind: 'rejected',
      problems: [{ index: 2 }, { index: 3 }, { index: 1, problem: { kind: 'id_taken' } }],
    });
  });

  it('of two at once with the same key, one is told of it', async () => {
    const results = await Promise.all([
      keys.importKeys(batch(3), context),
      keys.importKeys(batch(3), context),
    ]);
    expect(results.map(({ kind }) => kind).sort()).toEqual(['imported', 'rejected']);
    const rejected = results.find(({ kind }) => kind === 'rejected');
    expect(rejected).toMatchObject({ problems: [{ index: 0 }, { index: 1 }, { index: 2 }] });
  });

  it('is bounded, and nothing is fine too', async () => {
    expect(await keys.importKeys(batch(KEY_IMPORT_MAX + 1), context)).toEqual({
      kind: 'too_many',
      max: KEY_IMPORT_MAX,
    });
    expect(await keys.importKeys([], context)).toMatchObject({ kind: 'imported', count: 0 });
  });
});
