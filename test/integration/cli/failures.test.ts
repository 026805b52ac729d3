import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startProcess } from '../../support/child-process.ts';
import { changeUrl, startTestPostgres, type TestPostgres } from '../../support/postgres.ts';
import { type CommandLine, commandLine, MAIN, operatorUrl, POLICY } from './command-line.ts';

let postgres: TestPostgres;
let cli: CommandLine;
let folder: string;

beforeAll(async () => {
  postgres = await startTestPostgres();
  cli = await commandLine(postgres);
  folder = await mkdtemp(join(tmpdir(), 'latchkey-cli-'));
});

afterAll(async () => {
  await postgres.close();
  await rm(folder, { recursive: true, force: true });
});

/** A file with this content. */
async function file(name: string, content: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, content);
  return path;
}

describe('a database that cannot be used is told on one line, with what to do', () => {
  const url = (change: Parameters<typeof changeUrl>[1]) =>
    changeUrl(operatorUrl(postgres.url), change);

  it.each([
    [
      'nobody listens',
      1,
      () => url({ port: 1 }),
      /did not answer: connect ECONNREFUSED.*See that the server is up/,
    ],
    [
      'another password',
      1,
      () => url({ password: 'wrong' }),
      /password authentication failed for user "operator"/,
    ],
    ['no such database', 1, () => url({ database: 'none' }), /database "none" does not exist/],
    [
      'no schema',
      1,
      () => url({ database: 'postgres' }),
      /has no schema yet\. Run `latchkey migrate`/,
    ],
    [
      'a parameter that is none',
      2,
      () => url({ parameters: { sslmode: 'sometimes' } }),
      /database URL cannot be used/,
    ],
    [
      'a certificate that is not there',
      2,
      () => url({ parameters: { sslmode: 'verify-full', sslrootcert: '/nowhere/ca.crt' } }),
      /"\/nowhere\/ca\.crt".*cannot be read \(ENOENT\)/,
    ],
  ])('%s', async (_, code, databaseUrl, message) => {
    const output = await cli.run('orgs list', {
      variables: { LATCHKEY_DATABASE_URL: databaseUrl() },
    });
    expect(output).toMatchObject({ code, stdout: '' });
    expect(output.stderr).toMatch(/^latchkey: [^\n]+\n$/);
    expect(output.stderr).toMatch(message);
  });

  it('a server that accepts and is silent is given up', async () => {
    const { proxy, url: proxied } = await postgres.proxy();
    proxy.setMode('blackhole');
    const variables = { LATCHKEY_DATABASE_URL: operatorUrl(proxied) };
    const { code, document, stderr } = await cli.json('keys list', { variables });
    expect({ code, reason: document.error.reason }).toEqual({ code: 1, reason: 'unavailable' });
    expect(stderr).toMatch(/^latchkey: [^\n]+\n$/);
  });

  it('a database user without the right is told which one has it', async () => {
    const login = await postgres.createLogin('sidecar', 'latchkey_check');
    const variables = { LATCHKEY_DATABASE_URL: login };
    const { code, stderr } = await cli.run('orgs create acme', { variables });
    expect(code).toBe(1);
    expect(stderr).toMatch(/^latchkey: .*permission denied.*latchkey_api manages accounts.*\n$/);
  });

  it('migrate says the same', async () => {
    const login = await postgres.createLogin('nobody');
    for (const [databaseUrl, message] of [
      [url({ port: 1 }), /did not answer/],
      [login, /nobody may not|permission denied/],
    ] as const) {
      const variables = { LATCHKEY_DATABASE_URL: databaseUrl };
      const { code, document, stderr } = await cli.json('migrate', { variables });
      expect(code).toBe(1);
      expect(stderr).toMatch(/^latchkey: [^\n]+\n$/);
      expect(document.error.message).toMatch(message);
    }
  });
});

describe('a configuration that cannot be is told whole, with exit code 2', () => {
  it('serve without a database and without a policy says which to set', async () => {
    const { code, stdout, stderr } = await cli.run('serve', { bare: true });
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/No database is named\. Set LATCHKEY_DATABASE_URL .*--embedded/);
    expect(stderr).toMatch(/No policy is named\. Use --policy FILE, or set LATCHKEY_POLICY/);
  });

  it('config check tells every problem at once, and no secret', async () => {
    const variables = {
      LATCHKEY_DATABASE_URL: 'mysql://operator-password@h/d',
      LATCHKEY_CACHE_TTL: '5 minutes',
      LATCHKEY_LOG_LEVEL: 'loud',
      LATCHKEY_STALE_WINDOWS: '1s',
    };
    const { code, document, stderr } = await cli.json('config check --check-listen nowhere', {
      variables,
    });
    expect(code).toBe(2);
    expect(document).toMatchObject({ settings: null, warnings: [] });
    for (const name of ['DATABASE_URL', 'CACHE_TTL', 'LOG_LEVEL', 'STALE_WINDOWS']) {
      expect(stderr).toMatch(new RegExp(`^latchkey: .*LATCHKEY_${name}`, 'm'));
    }
    expect(stderr).toMatch(/--check-listen/);
    expect(document.problems.length).toBe(5);
    expect(stderr.trimEnd().split('\n')).toEqual(
      document.problems.map((problem: string) => `latchkey: ${problem}`),
    );
  });

  it('config check tells what is in force, without secrets', async () => {
    const { code, stdout } = await cli.run('config check --role all');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^LATCHKEY_ROLE: +all$/m);
    expect(stdout).toMatch(/^LATCHKEY_DATABASE_URL: +\(set\)$/m);
    expect((await cli.json('config check')).document).toMatchObject({
      ...{ problems: [], settings: { LATCHKEY_ROLE: 'check', LATCHKEY_DATABASE_URL: '(set)' } },
    });
  });

  it('every command that needs the database says which to set', async () => {
    for (const line of ['migrate', 'keys list']) {
      const { code, stderr } = await cli.run(line, { bare: true });
      expect(code).toBe(2);
      expect(stderr).toMatch(/^latchkey: No database is named\. [^\n]+\n$/);
    }
  });

  it('the database URL comes from a file as well', async () => {
    const path = await file('url', `${cli.databaseUrl}\n`);
    const listed = await cli.run(['orgs', 'list', '--database-url-file', path], { bare: true });
    // Nothing is there yet, which people are told, and how to change it.
    expect(listed).toMatchObject({
      ...{ code: 0, stdout: 'ID  NAME  PLAN  CREATED  DISABLED\n' },
      stderr: 'There is none. `latchkey orgs create` makes one.\n',
    });
    const json = ['orgs', 'list', '--json', '--database-url-file', path];
    expect(await cli.run(json, { bare: true })).toEqual({ code: 0, stdout: '[]\n', stderr: '' });
  });

  it('an embedded Postgres is not told how to use a URL', async () => {
    for (const variables of [
      { LATCHKEY_DATABASE_LISTEN_URL: cli.databaseUrl },
      { LATCHKEY_PREPARED_STATEMENTS: 'off' },
    ]) {
      for (const command of ['config check', 'serve', 'keys list']) {
        const policy = command === 'keys list' ? [] : ['--policy', POLICY];
        const argv = [...command.split(' '), '--embedded', join(folder, 'none'), ...policy];
        const { code, stdout, stderr } = await cli.run(argv, { bare: true, variables });
        expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
        const [variable = ''] = Object.keys(variables);
        expect(stderr).toMatch(
          new RegExp(`^latchkey: ${variable}[^\\n]+Remove one of the two\\.\\n$`),
        );
      }
    }
  });
});

describe('the ends of a pipe', () => {
  const shell = async (script: string) => {
    const env = { PATH: process.env['PATH'] ?? '', LATCHKEY_DATABASE_URL: cli.databaseUrl };
    const command = `"${process.execPath}" "${MAIN}"`;
    const started = startProcess('sh', ['-c', script.replaceAll('latchkey', command)], { env });
    const { code } = await started.exited;
    return { code, stdout: started.stdout(), stderr: started.stderr() };
  };

  it('a reader that has read enough ends a command quietly', async () => {
    await postgres.sql(`INSERT INTO latchkey.organizations (id, name)
      SELECT 'o' || n, repeat('x', 150) || n FROM generate_series(1, 3000) AS n`);
    const piped = await shell('{ latchkey orgs list; echo "ended with $?" >&2; } | head -1');
    expect(piped.stdout).toEqual([expect.stringMatching(/^ID +NAME/)]);
    expect(piped.stderr).toEqual(['ended with 0']);
  });

  it('a result that could not be written is a failure: it may have been a key', async () => {
    const full = await shell('latchkey orgs list --json > /dev/full');
    expect(full.code).toBe(1);
    expect(full.stderr).toEqual(['latchkey: standard output cannot be written (ENOSPC).']);
  });

  it('all of a long result arrives, however slowly it is read', async () => {
    const slow = await shell('latchkey orgs list | (sleep 3; wc -l)');
    expect(slow.stdout).toEqual(['3001']);
  });
});

describe('a bug', () => {
  const THROW = "throw new Error('operator-password')";

  it.each([
    ['in a command', 'info', `process.stdout.write = () => { ${THROW} };`],
    [
      'that nobody waits for',
      'info',
      `process.stdout.write = () => setImmediate(() => { ${THROW} });`,
    ],
    ['under the eyes of who debugs', 'debug', `process.stdout.write = () => { ${THROW} };`],
  ])('%s has an exit code of its own (log level %s)', async (_, level, script) => {
    const preload = await file('broken.mjs', script);
    const args = ['--import', preload, MAIN, 'policy', 'schema'];
    const env = { PATH: process.env['PATH'] ?? '', LATCHKEY_LOG_LEVEL: level };
    const started = startProcess(process.execPath, args, { env });
    const { code } = await started.exited;
    const told = started.stderr().join('\n');
    expect(code).toBe(70);
    // One line with its place and no secret; the rest is for whoever asks for it.
    if (level === 'debug') expect(told).toMatch(/operator-password\n.?\s*at /);
    else expect(told).toMatch(/^latchkey: internal error, please report it: Error at [^\n]+$/);
    expect(told.includes('operator-password')).toBe(level === 'debug');
  });
});
