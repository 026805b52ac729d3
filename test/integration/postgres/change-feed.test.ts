import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createChangeFeed } from '../../../src/postgres/change-feed.ts';
import { createKeyAdminStore } from '../../../src/postgres/key-admin-store.ts';
import type { Database } from '../../../src/postgres/pool.ts';
import { keyId, newKey, seedOrganization } from '../../support/accounts.ts';
import { startTestPostgres, type TestPostgres } from '../../support/postgres.ts';

const signal = AbortSignal.timeout(120_000);
const context = { actor: 'test', signal };

let postgres: TestPostgres;
let databaseCount = 0;
let url: string;
let database: Database;

beforeAll(async () => {
  postgres = await startTestPostgres();
});

afterAll(() => postgres.close());

beforeEach(async () => {
  databaseCount += 1;
  url = await postgres.createDatabase(`feed_${databaseCount}`);
  database = postgres.database({ url });
});

const sql = (text: string) => postgres.sql(text, [], url);

describe('head()', () => {
  it('is version 0 and no nonce before anything changed, and the newest row afterwards', async () => {
    const feed = createChangeFeed(database);
    expect(await feed.head(signal)).toMatchObject({ at: { version: 0 }, nonce: null });
    await seedOrganization(database);
    const head = await feed.head(signal);
    expect(head).toMatchObject({
      at: { version: 1 },
      nonce: expect.stringMatching(/^[0-9a-f-]{36}$/),
    });
  });
});

describe('changesAfter()', () => {
  const start = async () => {
    const head = await createChangeFeed(database).head(signal);
    return { ...head.at, nonce: head.nonce };
  };

  it('gives what followed, oldest first, and nothing when nothing did', async () => {
    const feed = createChangeFeed(database);
    const place = await start();
    await seedOrganization(database);
    await createKeyAdminStore(database).create(newKey('k1'), context);
    const read = await feed.changesAfter(place, 100, signal);
    expect(read).toMatchObject({
      kind: 'changes',
      changes: [
        { version: 1, subject: 'user:u1', created: true },
        { version: 2, subject: 'key:k1', created: true },
        { version: 3, subject: 'key:k1', created: true },
      ],
    });
    expect(await feed.changesAfter(await start(), 100, signal)).toEqual({
      kind: 'changes',
      changes: [],
    });
  });

  it('a statement with many rows, read in small batches, loses none between two of them', async () => {
    const feed = createChangeFeed(database);
    await seedOrganization(database);
    let place = await start();
    await sql(`INSERT INTO latchkey.api_keys (id, name, organization_id, environment)
      SELECT 'k' || n, 'K', 'o1', 'live' FROM generate_series(1, 100) n`);
    const subjects = new Set<string>();
    for (;;) {
      const read = await feed.changesAfter(place, 7, signal);
      if (read.kind !== 'changes') throw new Error(read.kind);
      expect(read.changes.length).toBeLessThanOrEqual(7);
      for (const change of read.changes) {
        subjects.add(change.subject);
        place = { ...place, version: change.version, nonce: change.nonce };
      }
      if (read.changes.length === 0) break;
    }
    expect(subjects.size).toBe(100);
  });

  it('a write says the version under which a follower finds it', async () => {
    await seedOrganization(database);
    const keys = createKeyAdminStore(database);
    await keys.create(newKey('k1'), context);
    const place = await start();
    const revoked = await keys.revoke(keyId('k1'), context);
    const read = await createChangeFeed(database).changesAfter(place, 10, signal);
    expect(revoked).toMatchObject({ kind: 'revoked', changed: true, at: { epoch: place.epoch } });
    if (revoked.kind !== 'revoked' || read.kind !== 'changes') throw new Error('unexpected');
    expect(read.changes.map(({ version, subject }) => ({ version, subject }))).toEqual([
      { version: revoked.at.version, subject: 'key:k1' },
    ]);
  });
});

describe('another history is noticed, however it looks', () => {
  const cases: [string, string][] = [
    [
      'the row at the place has another nonce',
      'UPDATE latchkey.change_log SET nonce = gen_random_uuid()',
    ],
    ['the row at the place is gone', 'DELETE FROM latchkey.change_log'],
    [
      'the counter stands before the place',
      'UPDATE latchkey.change_version SET version = version - 1',
    ],
    [
      'a row between the place and the head is missing',
      `
      UPDATE latchkey.api_keys SET plan = 'a'; UPDATE latchkey.api_keys SET plan = 'b';
      UPDATE latchkey.api_keys SET plan = 'c';
      DELETE FROM latchkey.change_log WHERE version = (SELECT max(version) - 1 FROM latchkey.change_log)`,
    ],
    [
      'the newest row is missing',
      `
      UPDATE latchkey.api_keys SET plan = 'a';
      DELETE FROM latchkey.change_log WHERE version = (SELECT max(version) FROM latchkey.change_log)`,
    ],
  ];
  it.each(cases)('%s', async (_, tampering) => {
    await seedOrganization(database);
    await createKeyAdminStore(database).create(newKey('k1'), context);
    const feed = createChangeFeed(database);
    const { at, nonce } = await feed.head(signal);
    await sql(tampering);
    const read = await feed.changesAfter({ ...at, nonce }, 100, signal);
    expect(read).toEqual({ kind: 'history_lost' });
  });

  it('a place from before the log was pruned', async () => {
    const feed = createChangeFeed(database);
    const { at, nonce } = await feed.head(signal);
    await seedOrganization(database);
    await createKeyAdminStore(database).create(newKey('k1'), context);
    await sql('DELETE FROM latchkey.change_log WHERE version = 1');
    expect(await feed.changesAfter({ ...at, nonce }, 100, signal)).toEqual({
      kind: 'history_lost',
    });
  });

  it('a copy of the database is another epoch, a restart of the server is the same', async () => {
    await seedOrganization(database);
    const { at, nonce } = await createChangeFeed(database).head(signal);
    await database.close();
    await postgres.sql(`CREATE DATABASE copy_${databaseCount} TEMPLATE feed_${databaseCount}`);
    const copyUrl = url.replace(`feed_${databaseCount}`, `copy_${databaseCount}`);
    const copy = createChangeFeed(postgres.database({ url: copyUrl }));
    expect((await copy.head(signal)).at.epoch).not.toBe(at.epoch);
    expect(await copy.changesAfter({ ...at, nonce }, 100, signal)).toEqual({
      kind: 'history_lost',
    });

    await postgres.restart();
    const again = createChangeFeed(postgres.database({ url }));
    expect(await again.changesAfter({ ...at, nonce }, 100, signal)).toEqual({
      kind: 'changes',
      changes: [],
    });
  });
});
