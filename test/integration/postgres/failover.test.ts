import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { StoreUnavailableError } from '../../../src/model/change.ts';
import { createChangeFeed } from '../../../src/postgres/change-feed.ts';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../../src/postgres/embedded.ts';
import { seedOrganization } from '../../support/accounts.ts';
import { startTestPostgres, type TestPostgres } from '../../support/postgres.ts';
import { until } from '../../support/until.ts';

const signal = AbortSignal.timeout(60_000);

let primary: TestPostgres;
let standby: EmbeddedPostgres;
let standbyDir: string;

/** The same cluster, copied while it was down and started as a standby without anyone to follow. */
beforeAll(async () => {
  primary = await startTestPostgres();
  const database = primary.database();
  await seedOrganization(database);
  await database.close();
  await primary.stop();
  standbyDir = await mkdtemp(join(tmpdir(), 'latchkey-test-standby-'));
  await promisify(execFile)('cp', ['-a', `${primary.dataDir}/.`, standbyDir]);
  await writeFile(join(standbyDir, 'cluster', 'standby.signal'), '');
  await primary.start();
  standby = await startEmbeddedPostgres({
    dataDir: standbyDir,
    log: () => {},
    settings: ['fsync=off'],
  });
});

afterAll(async () => {
  await standby.stop();
  await rm(standbyDir, { recursive: true, force: true });
  await primary.close();
});

it('a standby is refused, and after its promotion it is another history of the same cluster', async () => {
  const before = await createChangeFeed(primary.database()).head(signal);
  const database = primary.database({ url: standby.url });
  const feed = createChangeFeed(database);
  await expect(feed.head(signal)).rejects.toBeInstanceOf(StoreUnavailableError);

  await primary.sql('SELECT pg_promote()', [], standby.url);
  await until('the promotion', () =>
    feed.head(signal).then(
      () => true,
      () => false,
    ),
  );
  const after = await feed.head(signal);
  await database.close();
  const [system, timeline] = before.at.epoch.split(':');
  expect(after.at.epoch.split(':')).toEqual([system, '00000002', expect.any(String)]);
  expect(timeline).toBe('00000001');
  expect(after.at.version).toBe(before.at.version);
  const followed = createChangeFeed(primary.database({ url: standby.url }));
  expect(await followed.changesAfter({ ...before.at, nonce: before.nonce }, 10, signal)).toEqual({
    kind: 'history_lost',
  });
});
