import { createHash } from 'node:crypto';
import {
  chmod,
  chown,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { startEmbeddedPostgres } from '../../src/postgres/embedded.ts';
import { serverIdentity } from '../../src/postgres/embedded-identity.ts';
import { MIGRATIONS_DIR, migrate } from '../../src/postgres/migrate.ts';

/** Durability is nothing to a test, and several servers share the machine. */
export const TEST_SETTINGS = [
  'fsync=off',
  'synchronous_commit=off',
  'full_page_writes=off',
  'autovacuum=off',
  'shared_buffers=16MB',
  'max_connections=60',
  'log_checkpoints=off',
];

export const DATA_DIR_PREFIX = 'latchkey-test-postgres-';
const SWEEP_AFTER_MS = 3_600_000;

const silent = () => {};

/** What runs that were killed have left behind. Nothing runs for an hour. */
export async function sweepDataDirs(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    if (!name.startsWith(DATA_DIR_PREFIX)) continue;
    const path = join(tmpdir(), name);
    const found = await stat(path).catch(() => undefined);
    if (found !== undefined && Date.now() - found.mtimeMs > SWEEP_AFTER_MS) {
      await rm(path, { recursive: true, force: true });
    }
  }
}

/** Built beside its place and renamed: test files that start at the same time each build one, and the first stays. */
export async function templateDir(): Promise<string> {
  const identity = await serverIdentity();
  const place = join(
    tmpdir(),
    `latchkey-test-template-${process.getuid?.() ?? 0}`,
    await templateHash(),
  );
  if (await isDirectory(place)) return place;
  await mkdir(join(place, '..'), { recursive: true, mode: 0o755 });
  await chmod(join(place, '..'), 0o755);
  const staging = await mkdtemp(`${place}.`);
  if (identity.uid !== undefined && identity.gid !== undefined) {
    await chown(staging, identity.uid, identity.gid);
  }
  const server = await startEmbeddedPostgres({
    dataDir: staging,
    settings: TEST_SETTINGS,
    log: silent,
  });
  await migrate(server.url, { log: silent });
  await copyDatabase(server.url);
  await server.stop();
  await rename(staging, place).catch(() => rm(staging, { recursive: true, force: true }));
  return place;
}

async function copyDatabase(url: string): Promise<void> {
  const maintenance = new URL(url);
  maintenance.pathname = '/postgres';
  const client = new Client({ connectionString: maintenance.toString() });
  await client.connect();
  await client.query('CREATE DATABASE latchkey_template TEMPLATE latchkey');
  await client.end();
}

async function templateHash(): Promise<string> {
  const hash = createHash('sha256');
  const files = (await readdir(MIGRATIONS_DIR)).sort();
  for (const file of files) hash.update(file).update(await readFile(join(MIGRATIONS_DIR, file)));
  // What makes the cluster, and what runs the migrations.
  for (const file of ['embedded-folder.ts', 'migrate.ts', 'embedded-binaries.ts']) {
    hash.update(await readFile(new URL(`../../src/postgres/${file}`, import.meta.url)));
  }
  return hash.digest('hex').slice(0, 16);
}

async function isDirectory(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}
