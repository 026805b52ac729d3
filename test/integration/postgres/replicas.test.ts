import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createKeyAdminStore } from '../../../src/postgres/key-admin-store.ts';
import type { Database } from '../../../src/postgres/pool.ts';
import {
  createReplicaDirectory,
  createReplicaRegistry,
} from '../../../src/postgres/replica-registry.ts';
import { createUsageStore, USES_PER_CALL_MAX } from '../../../src/postgres/usage-store.ts';
import { keyId, newKey, seedOrganization } from '../../support/accounts.ts';
import { startTestPostgres, type TestPostgres } from '../../support/postgres.ts';

const signal = AbortSignal.timeout(60_000);

let postgres: TestPostgres;
let database: Database;

beforeAll(async () => {
  postgres = await startTestPostgres();
  database = postgres.database();
});

afterAll(() => postgres.close());

describe('replicas', () => {
  it('are listed with the position they confirmed last and their age by the clock of the database', async () => {
    const directory = createReplicaDirectory(database);
    const first = createReplicaRegistry(database, { id: 'r1', name: 'pod-1' });
    const second = createReplicaRegistry(database, { id: 'r2', name: 'pod-2' });
    await first.confirm({ epoch: 'e', version: 3 }, signal);
    await second.confirm({ epoch: 'e', version: 4 }, signal);
    await first.confirm({ epoch: 'e', version: 5 }, signal);
    await postgres.sql(
      "UPDATE latchkey.replicas SET updated_at = now() - interval '7 seconds' WHERE id = 'r2'",
    );
    const listed = await directory.list(signal);
    expect(listed).toEqual([
      { id: 'r1', name: 'pod-1', at: { epoch: 'e', version: 5 }, ageMs: expect.any(Number) },
      { id: 'r2', name: 'pod-2', at: { epoch: 'e', version: 4 }, ageMs: expect.any(Number) },
    ]);
    expect(listed[0]?.ageMs).toBeLessThan(5_000);
    expect(listed[1]?.ageMs).toBeGreaterThanOrEqual(7_000);

    await first.deregister(signal);
    expect((await directory.list(signal)).map(({ id }) => id)).toEqual(['r2']);
  });

  it('those not heard of for a day are forgotten', async () => {
    await postgres.sql(`INSERT INTO latchkey.replicas (id, name, epoch, version, updated_at)
      VALUES ('dead', 'pod', 'e', 1, now() - interval '25 hours')`);
    await createReplicaRegistry(database, { id: 'alive', name: 'pod' }).confirm(
      { epoch: 'e', version: 1 },
      signal,
    );
    const ids = (await createReplicaDirectory(database).list(signal)).map(({ id }) => id);
    expect(ids).toContain('alive');
    expect(ids).not.toContain('dead');
  });
});

describe('last use', () => {
  const lastUse = () =>
    postgres.sql<{ id: string; at_ms: number | null; address: string | null }>(
      `SELECT id, (extract(epoch FROM last_used_at) * 1000)::float8 AS at_ms, last_used_address AS address
       FROM latchkey.api_keys ORDER BY id`,
    );

  it('moves forward only, never into the future, and passes over keys that are gone', async () => {
    await seedOrganization(database);
    const keys = createKeyAdminStore(database);
    for (const id of ['a', 'b', 'c']) await keys.create(newKey(id), { actor: 'test', signal });
    const usage = createUsageStore(database);
    const use = (id: string, atMs: number, address: string | null) => ({
      keyId: keyId(id),
      atMs,
      address,
    });
    await usage.recordUsage(
      [use('a', 2_000, '192.0.2.2'), use('b', 2_000, null), use('gone', 1, null)],
      signal,
    );
    await usage.recordUsage([use('a', 1_000, '192.0.2.1'), use('b', 3_000, '192.0.2.3')], signal);
    await usage.recordUsage([use('c', Date.now() + 86_400_000, null)], signal);
    const rows = await lastUse();
    expect(rows.slice(0, 2)).toEqual([
      { id: 'a', at_ms: 2_000, address: '192.0.2.2' },
      { id: 'b', at_ms: 3_000, address: '192.0.2.3' },
    ]);
    expect(rows[2]?.at_ms).toBeLessThan(Date.now() + 60_000);
  });

  it('does not wait for a row that an administrator holds', async () => {
    await database.transaction(async (session) => {
      const hold = {
        name: 'hold',
        text: "SELECT 1 FROM latchkey.api_keys WHERE id = 'a' FOR UPDATE",
      };
      await session.query(hold, []);
      const use = { keyId: keyId('a'), atMs: 9_000, address: null };
      await createUsageStore(database).recordUsage([use, { ...use, keyId: keyId('b') }], signal);
    }, signal);
    expect((await lastUse()).map(({ at_ms }) => at_ms).slice(0, 2)).toEqual([2_000, 9_000]);
  });

  it('takes a bounded number of keys a call', async () => {
    const many = Array.from({ length: USES_PER_CALL_MAX + 1 }, (_, n) => ({
      keyId: keyId(`n${n}`),
      atMs: 1,
      address: null,
    }));
    await expect(createUsageStore(database).recordUsage(many, signal)).rejects.toThrow(RangeError);
  });
});
