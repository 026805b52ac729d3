import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { changeUrl, startTestPostgres, type TestPostgres } from '../../support/postgres.ts';
import { type CommandLine, commandLine } from './command-line.ts';

let postgres: TestPostgres;
let cli: CommandLine;
let folder: string;

beforeAll(async () => {
  postgres = await startTestPostgres();
  cli = await commandLine(postgres);
  folder = await mkdtemp(join(tmpdir(), 'latchkey-embedded-'));
  // Under root, Postgres runs as another user, who has to pass through.
  await chmod(folder, 0o711);
});

afterAll(async () => {
  await postgres.close();
  await rm(folder, { recursive: true, force: true });
});

it('migrate makes an empty database usable, and a second run finds nothing to do', async () => {
  await postgres.sql('CREATE DATABASE fresh');
  const variables = { LATCHKEY_DATABASE_URL: changeUrl(postgres.url, { database: 'fresh' }) };
  const first = await cli.run('migrate', { variables });
  expect(first).toMatchObject({ code: 0, stderr: '' });
  expect(first.stdout).toMatch(/^applied 0001_initial\n/);
  const second = await cli.run('migrate', { variables });
  expect(second).toEqual({ code: 0, stdout: 'The schema is up to date.\n', stderr: '' });
  const { document } = await cli.json('migrate', { variables });
  expect(document).toEqual({ applied: [], missingRoles: [] });
  expect((await cli.run('orgs create acme', { variables })).code).toBe(0);
});

describe('--embedded', () => {
  const embedded = async (line: string) =>
    cli.run([...line.split(' '), '--embedded', join(folder, 'data')], { bare: true });

  it('starts a Postgres for one command, keeps its data, and has nothing to say about it', async () => {
    expect(await embedded('orgs create acme')).toMatchObject({ code: 0, stderr: '' });
    for (let run = 0; run < 3; run += 1) {
      const listed = await embedded('orgs list');
      expect(listed).toMatchObject({ code: 0, stderr: '' });
      expect(listed.stdout).toContain('acme');
    }
    expect(await embedded('migrate')).toEqual({
      ...{ code: 0, stdout: 'The schema is up to date.\n', stderr: '' },
    });
  });

  it('and a database URL at once is wrong usage', async () => {
    const { code, stderr } = await cli.run(['orgs', 'list', '--embedded', folder]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/Keep one of the two/);
  });
});
