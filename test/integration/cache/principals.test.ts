import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { systemSchedule } from '../../../src/app/system.ts';
import { UsageRecorder } from '../../../src/cache/usage-recorder.ts';
import { digestKey } from '../../../src/key-text/digest.ts';
import { createKeyAdminStore } from '../../../src/postgres/key-admin-store.ts';
import type { Database } from '../../../src/postgres/pool.ts';
import { createUsageStore } from '../../../src/postgres/usage-store.ts';
import { keyId, newKey, seedOrganization } from '../../support/accounts.ts';
import { startTestPostgres, type TestPostgres } from '../../support/postgres.ts';
import { until } from '../../support/until.ts';
import { Replica, type ReplicaOptions } from './replica.ts';

/*
 * The cache on a real server: the triggers write the log, NOTIFY wakes the follower, and rows carry the version of their own
 * snapshot. What the unit tests show with a store in memory has to be true of Postgres as well.
 */
const context = { actor: 'test', signal: AbortSignal.timeout(600_000) };

let postgres: TestPostgres;
let database: Database;
const replicas: Replica[] = [];
let keysMade = 0;

beforeAll(async () => {
  postgres = await startTestPostgres();
  database = postgres.database();
  await seedOrganization(database);
});

afterAll(() => postgres.close());

afterEach(async () => {
  await Promise.all(replicas.splice(0).map((replica) => replica.stop()));
});

async function replica(options: ReplicaOptions = {}): Promise<Replica> {
  const started = new Replica(postgres, options);
  replicas.push(started);
  return started.start();
}

const newId = () => {
  keysMade += 1;
  return `k${keysMade}`;
};
const create = (id: string) => createKeyAdminStore(database).create(newKey(id), context);
const revoke = (id: string) => createKeyAdminStore(database).revoke(keyId(id), context);

describe('with notifications', () => {
  it('a key works within a second of its creation, after a failed first try, and fails within a second of its revocation', async () => {
    const one = await replica();
    await until('listening', () => one.cache.follower.state().connected);
    const id = newId();
    expect(await one.answer(id)).toBe('absent');
    await create(id);
    await until('valid', async () => (await one.answer(id)) === 'valid', 1_000);
    await revoke(id);
    await until('revoked', async () => (await one.answer(id)) === 'revoked', 1_000);
    expect(one.faults).toEqual([]);
  });

  it('a replica that has confirmed a revocation no longer serves the key', async () => {
    const both = [await replica(), await replica()];
    const id = newId();
    await create(id);
    for (const one of both) {
      await until('valid', async () => (await one.answer(id)) === 'valid');
    }
    const revoked = await revoke(id);
    if (revoked.kind === 'absent') throw new Error('no key');
    const unconfirmed = new Set(both);
    await until('all have confirmed', async () => {
      for (const one of unconfirmed) {
        const rows = await postgres.sql<{ version: number }>(
          'SELECT version::float8 FROM latchkey.replicas WHERE id = $1',
          [one.id],
        );
        if ((rows[0]?.version ?? 0) < revoked.at.version) continue;
        expect(one.find(id)).not.toBe('valid');
        unconfirmed.delete(one);
      }
      return unconfirmed.size === 0;
    });
  });

  it('leaves the registry when it stops', async () => {
    const one = await replica();
    const registered = () =>
      postgres.sql('SELECT 1 FROM latchkey.replicas WHERE id = $1', [one.id]);
    await until('registered', async () => (await registered()).length === 1);
    replicas.splice(0);
    await one.stop();
    expect(await registered()).toEqual([]);
  });

  it('a disabled organization takes its keys with it', async () => {
    const one = await replica();
    const id = newId();
    await create(id);
    await until('valid', async () => (await one.answer(id)) === 'valid');
    await postgres.sql("UPDATE latchkey.organizations SET disabled_at = now() WHERE id = 'o1'");
    await until('dropped', () => one.find(id) === undefined, 1_500);
    await postgres.sql("UPDATE latchkey.organizations SET disabled_at = NULL WHERE id = 'o1'");
  });

  it('a change of more rows than the log names makes everything be loaded again', async () => {
    const one = await replica();
    const ids = Array.from({ length: 1_200 }, newId);
    await postgres.sql(
      `INSERT INTO latchkey.api_keys (id, name, organization_id, environment)
       SELECT id, id, 'o1', 'live' FROM unnest($1::text[]) AS t (id)`,
      [ids],
    );
    const id = newId();
    await create(id);
    await until('valid', async () => (await one.answer(id)) === 'valid');
    await postgres.sql('UPDATE latchkey.api_keys SET revoked_at = now() WHERE revoked_at IS NULL');
    await until('revoked', async () => (await one.answer(id)) === 'revoked', 1_500);
  });

  it('ten thousand parallel requests with one unknown key are one query', async () => {
    const one = await replica();
    const id = newId();
    const digest = digestKey(id);
    const asked = Array.from({ length: 10_000 }, () => one.resolve(digest, 'c', 10_000));
    const kinds = (await Promise.all(asked)).map(({ kind }) => kind);
    expect(new Set(kinds)).toEqual(new Set(['absent']));
    expect(one.loads).toBe(1);
  });
});

describe('by polling alone', () => {
  it('a key works, and a revoked one fails, within two seconds', async () => {
    const one = await replica({ listenUrl: null });
    const id = newId();
    expect(await one.answer(id)).toBe('absent');
    await create(id);
    await until('valid', async () => (await one.answer(id)) === 'valid', 2_000);
    await revoke(id);
    await until('revoked', async () => (await one.answer(id)) === 'revoked', 2_000);
    expect(one.cache.follower.state().connected).toBe(false);
  });
});

describe('a listener that is half open', () => {
  it('costs no more than the poll, and is replaced', async () => {
    const { proxy, url } = await postgres.proxy();
    const one = await replica({ listenUrl: url });
    await until('listening', () => one.cache.follower.state().connected);
    const id = newId();
    await create(id);
    await until('valid', async () => (await one.answer(id)) === 'valid');
    proxy.setMode('cut');
    await revoke(id);
    await until('revoked', async () => (await one.answer(id)) === 'revoked', 2_000);
    await until('listening again', () => proxy.accepted() >= 2);
  });
});

describe('revoked while its row is being loaded', () => {
  it('the late row is not used, not even for the request that waited', async () => {
    let open = () => {};
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    let isRead = false;
    const one = await replica({
      settings: { loadTimeoutMs: 5_000 },
      barrier: () => {
        isRead = true;
        return gate;
      },
    });
    const id = newId();
    await create(id);
    await until('applied', async () => one.cache.memory.newestVersion() > 0);
    const waiting = one.resolve(digestKey(id), 'c', 10_000);
    await until('the row is read', () => isRead);
    const revoked = await revoke(id);
    if (revoked.kind === 'absent') throw new Error('no key');
    await until('the revocation is applied', () => {
      return (one.cache.follower.state().position?.version ?? 0) >= revoked.at.version;
    });
    open();
    const fact = await waiting;
    expect(fact.kind === 'found' && fact.credential.subject.revokedAtMs).not.toBeNull();
    expect(one.find(id)).toBe('revoked');
    expect(one.loads).toBe(2);
  });
});

describe('another history', () => {
  it('a log that was emptied makes everything be loaded again', async () => {
    const one = await replica();
    const id = newId();
    await create(id);
    await until('valid', async () => (await one.answer(id)) === 'valid');
    await postgres.sql('TRUNCATE latchkey.change_log');
    await until('suspect', () => one.find(id) === undefined, 3_000);
    expect(await one.answer(id)).toBe('valid');
    expect(one.find(id)).toBe('valid');
    await revoke(id);
    await until('revoked', async () => (await one.answer(id)) === 'revoked', 2_000);
  });
});

it('last use is written to the key, and not to the log', async () => {
  const id = newId();
  await create(id);
  const [before] = await postgres.sql('SELECT version FROM latchkey.change_version');
  const recorder = new UsageRecorder({
    store: createUsageStore(database),
    schedule: systemSchedule,
    random: Math.random,
    observer: { fault: () => {} },
  });
  const usedAtMs = Date.now() - 1_000;
  recorder.record(keyId(id), usedAtMs, '192.0.2.7');
  recorder.record(keyId('gone'), usedAtMs, null);
  await recorder.stop();
  const rows = await postgres.sql(
    `SELECT (extract(epoch FROM last_used_at) * 1000)::float8 AS at, last_used_address AS address
     FROM latchkey.api_keys WHERE id = $1`,
    [id],
  );
  expect(rows).toEqual([{ at: usedAtMs, address: '192.0.2.7' }]);
  expect(await postgres.sql('SELECT version FROM latchkey.change_version')).toEqual([before]);
});
