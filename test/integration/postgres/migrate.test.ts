import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createKeyAdminStore } from '../../../src/postgres/key-admin-store.ts';
import { createKeyStore } from '../../../src/postgres/key-store.ts';
import { MIGRATIONS_DIR, migrate } from '../../../src/postgres/migrate.ts';
import { checkSchema, SCHEMA_VERSION } from '../../../src/postgres/schema.ts';
import { digestOf, newKey, seedOrganization } from '../../support/accounts.ts';
import { changeUrl, startTestPostgres, type TestPostgres } from '../../support/postgres.ts';

const signal = AbortSignal.timeout(60_000);
const log = () => {};

let postgres: TestPostgres;
let nextMigrationsDir: string;

beforeAll(async () => {
  postgres = await startTestPostgres();
  nextMigrationsDir = await mkdtemp(join(tmpdir(), 'latchkey-migrations-'));
  await cp(MIGRATIONS_DIR, nextMigrationsDir, { recursive: true });
  const next = new URL('../../fixtures/migrations-next', import.meta.url);
  await cp(fileURLToPath(next), nextMigrationsDir, { recursive: true });
});

afterAll(async () => {
  await postgres.close();
  await rm(nextMigrationsDir, { recursive: true, force: true });
});

async function emptyDatabase(name: string): Promise<string> {
  await postgres.sql(`CREATE DATABASE ${name}`);
  return changeUrl(postgres.url, { database: name });
}

/** Roles belong to the cluster: to be without them takes one without any migrated database. */
async function dropRoles(server: TestPostgres): Promise<void> {
  await server.sql('DROP DATABASE latchkey_template');
  await server.sql('DROP SCHEMA latchkey CASCADE');
  await server.sql('DROP OWNED BY latchkey_check, latchkey_api, latchkey_migrate CASCADE');
  await server.sql('DROP ROLE latchkey_check, latchkey_api, latchkey_migrate');
}

describe('migrate()', () => {
  it('run by several processes at once, applies each migration once and fails in none', async () => {
    const url = await emptyDatabase('at_once');
    const runs = await Promise.all([1, 2, 3].map(() => migrate(url, { log })));
    expect(runs.flatMap(({ applied }) => applied)).toEqual(['0001_initial']);
  });

  it('does nothing the second time', async () => {
    const url = await emptyDatabase('twice');
    await migrate(url, { log });
    expect(await migrate(url, { log })).toEqual({ applied: [], missingRoles: [] });
  });

  it('leaves nothing behind when it fails half-way', async () => {
    const url = await emptyDatabase('half_way');
    await postgres.sql('CREATE SCHEMA latchkey; CREATE TABLE latchkey.replicas ()', [], url);
    await expect(migrate(url, { log })).rejects.toThrow('already exists');
    const tables = await postgres.sql<{ tablename: string }>(
      "SELECT tablename FROM pg_tables WHERE schemaname = 'latchkey' ORDER BY 1",
      [],
      url,
    );
    expect(tables.map(({ tablename }) => tablename)).not.toContain('api_keys');
  });

  it('the constant of the binary is the number of its newest migration', async () => {
    const rows = await postgres.sql<{ version: number }>(
      'SELECT version FROM latchkey.schema_version',
    );
    expect(rows).toEqual([{ version: SCHEMA_VERSION }]);
  });

  it('a member of latchkey_migrate can run the migration after the one that an administrator ran', async () => {
    const url = await emptyDatabase('by_member');
    await migrate(url, { log });
    await postgres.createLogin('member_of_migrate', 'latchkey_migrate');
    const asMember = changeUrl(url, {
      user: 'member_of_migrate',
      password: 'member_of_migrate-password',
    });
    const result = await migrate(asMember, { log, migrationsDir: nextMigrationsDir });
    expect(result.applied).toEqual(['0002_expand']);
  });

  it('refuses a user who is neither the owner nor a member of it, and says what would help', async () => {
    const url = await postgres.createDatabase('by_stranger');
    await postgres.createLogin('stranger');
    const asStranger = changeUrl(url, { user: 'stranger', password: 'stranger-password' });
    await expect(migrate(asStranger, { log })).rejects.toThrow(
      'GRANT latchkey_migrate TO stranger',
    );
  });

  it('works for a user who may create roles and databases and no more', async () => {
    const other = await startTestPostgres();
    try {
      await dropRoles(other);
      const owner = await other.createLogin('role_maker');
      await other.sql('ALTER ROLE role_maker CREATEROLE CREATEDB');
      await other.sql('CREATE DATABASE made OWNER role_maker');
      const result = await migrate(changeUrl(owner, { database: 'made' }), { log });
      expect(result).toEqual({ applied: ['0001_initial'], missingRoles: [] });
    } finally {
      await other.close();
    }
  });

  it('works for a user who may not create roles, and says which ones are missing', async () => {
    const other = await startTestPostgres();
    try {
      await dropRoles(other);
      const owner = await other.createLogin('plain_owner');
      await other.sql('CREATE DATABASE plain OWNER plain_owner');
      const url = changeUrl(owner, { database: 'plain' });
      const warnings: string[] = [];
      const result = await migrate(url, {
        log: (level, message) => level === 'warn' && warnings.push(message),
      });
      expect(result.applied).toEqual(['0001_initial']);
      expect(result.missingRoles).toEqual(['latchkey_check', 'latchkey_api', 'latchkey_migrate']);
      expect(warnings.join()).toContain('CREATE ROLE latchkey_check NOLOGIN');

      await other.sql('CREATE ROLE latchkey_check NOLOGIN');
      const again = await migrate(url, { log });
      expect(again).toEqual({ applied: [], missingRoles: ['latchkey_api', 'latchkey_migrate'] });
      const check = await other.createLogin('late_check', 'latchkey_check');
      const rows = await other.sql(
        'SELECT * FROM latchkey.api_keys',
        [],
        changeUrl(check, { database: 'plain' }),
      );
      expect(rows).toEqual([]);
    } finally {
      await other.close();
    }
  });
});

describe('which schema serves which binary', () => {
  it('no schema: not migrated; an older one: behind, and it says by how much', async () => {
    const url = await emptyDatabase('unmigrated');
    const database = postgres.database({ url });
    expect(await checkSchema(database, signal)).toEqual({ kind: 'not_migrated' });
    await migrate(url, { log });
    expect(await checkSchema(database, signal)).toEqual({
      kind: 'ok',
      schemaVersion: SCHEMA_VERSION,
    });
    expect(await checkSchema(database, signal, SCHEMA_VERSION + 1)).toEqual({
      kind: 'behind',
      schemaVersion: SCHEMA_VERSION,
    });
  });

  it('the next schema serves this binary: it starts, reads and writes as before', async () => {
    const url = await emptyDatabase('expanded');
    await migrate(url, { log, migrationsDir: nextMigrationsDir });
    const database = postgres.database({ url });
    expect(await checkSchema(database, signal)).toEqual({ kind: 'ok', schemaVersion: 2 });

    await seedOrganization(database);
    const key = newKey('k1');
    const created = await createKeyAdminStore(database).create(key, { actor: 'test', signal });
    expect(created.kind).toBe('created');
    const found = await createKeyStore(database, log).findKey([digestOf('k1')], signal);
    expect(found.kind).toBe('found');
    expect((await migrate(url, { log })).applied).toEqual([]);
  });

  it('a schema that no longer serves this binary says so, and nothing else makes it refuse', async () => {
    const url = await postgres.createDatabase('contracted');
    await postgres.sql(
      'UPDATE latchkey.schema_version SET version = 3, min_binary_schema = 2',
      [],
      url,
    );
    const database = postgres.database({ url });
    expect(await checkSchema(database, signal)).toEqual({
      kind: 'too_old_binary',
      schemaVersion: 3,
      minBinarySchema: 2,
    });
    expect(await checkSchema(database, signal, 2)).toEqual({ kind: 'ok', schemaVersion: 3 });
  });
});
