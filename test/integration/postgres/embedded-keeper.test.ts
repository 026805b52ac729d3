import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { findEmbeddedPostgres } from '../../../src/postgres/embedded.ts';
import { type KeptPostgres, startKeptPostgres } from '../../../src/postgres/embedded-keeper.ts';
import { until } from '../../support/until.ts';

let dataDir: string;
let kept: KeptPostgres;
const lines: { level: string; message: string; fields: object | undefined }[] = [];

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'latchkey-test-kept-'));
  await chmod(dataDir, 0o711);
});
afterEach(() => kept.stop());
afterAll(() => rm(dataDir, { recursive: true, force: true }));

async function start(): Promise<KeptPostgres> {
  lines.length = 0;
  kept = await startKeptPostgres({
    dataDir: join(dataDir, 'data'),
    settings: ['fsync=off'],
    log: (level, message, fields) => lines.push({ level, message, fields }),
  });
  return kept;
}

async function serverPid(): Promise<number> {
  const text = await readFile(join(dataDir, 'data', 'cluster', 'postmaster.pid'), 'utf8');
  return Number(text.split('\n')[0]);
}

const killServer = async () => process.kill(await serverPid(), 'SIGKILL');

async function query(text: string): Promise<unknown[]> {
  const client = new Client({ connectionString: kept.url });
  client.on('error', () => {});
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}

/** Once it runs again. */
async function queryAgain(text: string): Promise<unknown[]> {
  let rows: unknown[] = [];
  await until('the server answers', async () => {
    rows = await query(text).catch(() => []);
    return rows.length > 0;
  });
  return rows;
}

const readyLines = () =>
  lines.filter(({ message }) => message === 'The embedded Postgres is ready.');

describe('an embedded server that is killed', () => {
  it('is started again at the same address, with its data, and says so', async () => {
    await start();
    await query('CREATE TABLE kept AS SELECT 1 AS n');
    await killServer();
    expect(await queryAgain('SELECT n FROM kept')).toEqual([{ n: 1 }]);
    expect(lines.find(({ level }) => level === 'error')).toEqual({
      level: 'error',
      message: 'The embedded Postgres ended unexpectedly; it is started again.',
      fields: { how: 'killed by SIGKILL' },
    });
  });

  it('is given up when it ends again soon after', async () => {
    await start();
    await killServer();
    await until('it is ready again', () => readyLines().length === 2);
    await killServer();
    expect(await kept.lost).toMatch(/^The embedded Postgres ended again soon after .* SIGKILL/);
  });

  it('is given up when it cannot be started again, with the reason', async () => {
    await start();
    const { port } = new URL(kept.url);
    await killServer();
    // Somebody else is faster.
    const thief = createServer();
    await until('the port is free', async () => {
      const listening = new Promise((resolve, reject) => {
        thief.once('error', reject);
        thief.listen(Number(port), '127.0.0.1', () => resolve(true));
      });
      return listening.then(
        () => true,
        () => false,
      );
    });
    expect(await kept.lost).toMatch(
      new RegExp(`could not be started again\\. Port ${port} .*taken`),
    );
    thief.close();
  }, 30_000);

  it('and stopped while it is started again stays stopped', async () => {
    await start();
    const startedAgain = () => lines.filter(({ message }) => /is started again/.test(message));
    await killServer();
    await until('it is being started again', () => startedAgain().length === 1);
    await kept.stop();
    expect(await findEmbeddedPostgres(join(dataDir, 'data'))).toBeUndefined();
    await expect(query('SELECT 1')).rejects.toThrow();
  });
});

it('one that is stopped on purpose is not started again', async () => {
  await start();
  await kept.stop();
  expect(lines.filter(({ level }) => level === 'error')).toEqual([]);
  await expect(query('SELECT 1')).rejects.toThrow();
});
