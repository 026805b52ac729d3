import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createChangeFeed } from '../../../src/postgres/change-feed.ts';
import { createKeyAdminStore } from '../../../src/postgres/key-admin-store.ts';
import { createKeyStore } from '../../../src/postgres/key-store.ts';
import { createOrganizationStore } from '../../../src/postgres/organization-store.ts';
import {
  createReplicaDirectory,
  createReplicaRegistry,
} from '../../../src/postgres/replica-registry.ts';
import { checkSchema } from '../../../src/postgres/schema.ts';
import { createUsageStore } from '../../../src/postgres/usage-store.ts';
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
let checkUrl: string;
let apiUrl: string;

beforeAll(async () => {
  postgres = await startTestPostgres();
  const database = postgres.database();
  await seedOrganization(database);
  await createKeyAdminStore(database).create(newKey('k1'), context);
  checkUrl = await postgres.createLogin('a_sidecar', 'latchkey_check');
  apiUrl = await postgres.createLogin('an_api', 'latchkey_api');
});

afterAll(() => postgres.close());

const DENIED = 'permission denied';

describe('latchkey_check', () => {
  it('may do everything that a sidecar does', async () => {
    const database = postgres.database({ url: checkUrl });
    expect((await checkSchema(database, signal)).kind).toBe('ok');
    const found = await createKeyStore(database, () => {}).findKey([digestOf('k1')], signal);
    expect(found.kind).toBe('found');
    const feed = createChangeFeed(database);
    const head = await feed.head(signal);
    expect((await feed.changesAfter({ ...head.at, nonce: head.nonce }, 10, signal)).kind).toBe(
      'changes',
    );
    const registry = createReplicaRegistry(database, { id: 'r1', name: 'pod-1' });
    await registry.confirm(head.at, signal);
    await registry.deregister(signal);
    const use = { keyId: keyId('k1'), atMs: Date.now(), address: '192.0.2.1' };
    await createUsageStore(database).recordUsage([use], signal);
    await postgres.sql('LISTEN latchkey_changes', [], checkUrl);
  });

  it('may call the functions that name the history and check a CIDR, and no others', async () => {
    const rows = await postgres.sql<{ proname: string }>(
      `SELECT proname FROM pg_proc WHERE pronamespace = 'latchkey'::regnamespace
        AND has_function_privilege('a_sidecar', oid, 'EXECUTE') ORDER BY proname`,
    );
    expect(rows.map(({ proname }) => proname)).toEqual(['are_cidrs', 'epoch']);
  });

  it.each([
    "INSERT INTO latchkey.api_keys (id, name, organization_id, environment) VALUES ('x', 'x', 'o1', 'live')",
    "INSERT INTO latchkey.api_key_secrets (key_id, digest, pepper_version, start) VALUES ('k1', sha256('x'), 0, 'x')",
    "UPDATE latchkey.api_keys SET scopes = '{admin}'",
    'UPDATE latchkey.api_keys SET revoked_at = NULL',
    'UPDATE latchkey.api_keys SET expires_at = NULL, last_used_at = now()',
    'UPDATE latchkey.api_key_secrets SET expires_at = NULL',
    "UPDATE latchkey.users SET role = 'super_admin'",
    'DELETE FROM latchkey.api_keys',
    'TRUNCATE latchkey.api_keys CASCADE',
    'UPDATE latchkey.change_version SET version = 0',
    'DELETE FROM latchkey.change_log',
    'INSERT INTO latchkey.change_log (version, subject, created) VALUES (999, $$all$$, true)',
    "SELECT latchkey.log_changes('{all}', true)",
    'SELECT * FROM latchkey.audit_log',
    'UPDATE latchkey.schema_version SET min_binary_schema = 99',
    'CREATE TABLE latchkey.mine ()',
    'SET ROLE latchkey_api',
  ])('may not: %s', async (text) => {
    await expect(postgres.sql(text, [], checkUrl)).rejects.toThrow(DENIED);
  });
});

describe('latchkey_api', () => {
  it('may do everything that the key API and the commands do, and each of its writes is logged', async () => {
    const database = postgres.database({ url: apiUrl });
    const organizations = createOrganizationStore(database);
    const keys = createKeyAdminStore(database);
    const organization = { id: organizationId('o2'), name: 'Second', plan: null };
    const user = {
      id: userId('u2'),
      organizationId: organizationId('o2'),
      name: 'Bo',
      email: null,
      role: 'member',
    } as const;
    const key = newKey('k2', { organizationId: organizationId('o2'), ownerId: userId('u2') });
    expect((await organizations.create(organization, context)).kind).toBe('created');
    expect((await createUserStore(database).create(user, context)).kind).toBe('created');
    const created = await keys.create(key, context);
    if (created.kind !== 'created') throw new Error(created.kind);
    const secret = { digest: digestOf('second'), start: 'lk_live_k2' };
    await keys.rotate({ id: keyId('k2'), secret, oldSecret: { kind: 'at_once' } }, context);
    const revoked = await keys.revoke(keyId('k2'), context);
    if (revoked.kind !== 'revoked') throw new Error(revoked.kind);
    expect(revoked.at.version).toBeGreaterThan(created.at.version);
    await organizations.setDisabled(organizationId('o2'), true, context);
    await createReplicaDirectory(database).list(signal);
  });

  it.each([
    'UPDATE latchkey.audit_log SET actor = $$nobody$$',
    'DELETE FROM latchkey.audit_log',
    'DELETE FROM latchkey.api_keys',
    'UPDATE latchkey.change_version SET version = 0',
    'DELETE FROM latchkey.change_log',
    'ALTER TABLE latchkey.api_keys DISABLE TRIGGER ALL',
    'SET session_replication_role = replica',
    'UPDATE latchkey.schema_version SET min_binary_schema = 99',
    'CREATE TABLE latchkey.mine ()',
  ])('may not: %s', async (text) => {
    await expect(postgres.sql(text, [], apiUrl)).rejects.toThrow(/permission denied|must be owner/);
  });
});

it('a login without a role sees nothing', async () => {
  const url = await postgres.createLogin('a_stranger');
  await expect(postgres.sql('SELECT * FROM latchkey.api_keys', [], url)).rejects.toThrow(DENIED);
});
