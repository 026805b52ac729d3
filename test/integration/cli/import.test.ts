import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startTestPostgres, type TestPostgres } from '../../support/postgres.ts';
import { type CommandLine, commandLine } from './command-line.ts';

let postgres: TestPostgres;
let cli: CommandLine;
let folder: string;

beforeAll(async () => {
  postgres = await startTestPostgres();
  cli = await commandLine(postgres);
  folder = await mkdtemp(join(tmpdir(), 'latchkey-import-'));
  await postgres.sql("INSERT INTO latchkey.organizations (id, name) VALUES ('o1', 'acme')");
});

afterAll(async () => {
  await postgres.close();
  await rm(folder, { recursive: true, force: true });
});

beforeEach(() => postgres.sql('DELETE FROM latchkey.api_keys'));

const SECRET = 'cpx_live.TopSecretTopSecret';

const lines = (...rows: object[]): string =>
  rows.map((row) => `${JSON.stringify({ org: 'acme', name: 'ci', ...row })}\n`).join('');

const stored = async (): Promise<number> =>
  (await postgres.sql('SELECT 1 FROM latchkey.api_keys')).length;

describe('keys import', () => {
  it('takes a file or standard input, and tells no text', async () => {
    const file = join(folder, 'keys.jsonl');
    await writeFile(file, `\n${lines({ text: `${SECRET}-1` }, { sha256: 'ab'.repeat(32) })}\r\n`);
    const fromFile = await cli.run(['keys', 'import', file]);
    expect(fromFile).toMatchObject({ code: 0, stdout: 'Imported 2 keys.\n' });
    expect(fromFile.stderr).toMatch(/refuses the text of 1 of them .* key_format\.also_accept/);
    const { document, stderr } = await cli.json('keys import -', {
      stdin: lines({ text: `${SECRET}-2`, environment: 'test', plan: 'trial' }),
    });
    expect(document).toEqual({ imported: 1, ids: [expect.stringMatching(/^\w{10}$/)] });
    expect(await stored()).toBe(3);
    expect(`${fromFile.stdout}${fromFile.stderr}${stderr}`).not.toContain('TopSecret');
  });

  it('every bad line is told by its number, nothing is imported, and no text is told', async () => {
    const stdin = [
      lines({ text: `${SECRET}-1` }).trim(),
      '',
      SECRET,
      lines({ text: SECRET, plan: 'gold' }).trim(),
      lines({ text: SECRET, environment: 'prod' }).trim(),
      lines({ text: SECRET, [SECRET]: true }).trim(),
    ].join('\n');
    const told = await cli.run('keys import -', { stdin });
    expect(told).toMatchObject({ code: 2, stdout: '' });
    expect(told.stderr.split('\n').slice(0, -1)).toEqual([
      'latchkey: Nothing was imported.',
      'latchkey: line 3: not JSON',
      'latchkey: line 4: The policy has no plan "gold". It has: default, trial.',
      'latchkey: line 5: The policy has no environment "prod". It has: live, test.',
      expect.stringMatching(/^latchkey: line 6: a field that is not known; those there are: org,/),
    ]);
    expect(told.stderr).not.toContain('TopSecret');
    expect(await stored()).toBe(0);
  });

  it('what only the store can know is told by the line as well', async () => {
    const stdin = `\n${lines({ text: 'a1' }, { text: 'a1' }, { text: 'a2', org: 'none' })}`;
    const { document, code } = await cli.json('keys import -', { stdin });
    expect(code).toBe(2);
    expect(document.error.message).toContain('line 4: There is no organization "none"');
    const twice = await cli.run('keys import -', {
      stdin: `\n${lines({ text: 'a1' }, { text: 'a1' })}`,
    });
    expect(twice.stderr).toContain('line 3: A key with this very text exists already.');
    expect(await stored()).toBe(0);
  });

  it('an empty input is refused', async () => {
    const { code, stderr } = await cli.run('keys import -', { stdin: '\n' });
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: 'latchkey: There is no key in the file.\n',
    });
  });

  it.each([
    ['that is not there', undefined, 'cannot be read (ENOENT)'],
    ['that is no text', Buffer.from([0xff]), 'is not UTF-8 text'],
  ])('a file %s is told by its name', async (_, content, problem) => {
    const file = join(folder, 'other');
    if (content !== undefined) await writeFile(file, content);
    const { code, stderr } = await cli.run(['keys', 'import', file]);
    expect(code).toBe(2);
    expect(stderr).toContain(`${file} ${problem}`);
  });

  it('without a policy it says what was not checked', async () => {
    const variables = { LATCHKEY_DATABASE_URL: cli.databaseUrl };
    const imported = await cli.run('keys import -', {
      ...{ bare: true, variables, stdin: lines({ text: SECRET, plan: 'gold' }) },
    });
    expect(imported).toMatchObject({ code: 0, stdout: 'Imported 1 key.\n' });
    expect(imported.stderr).toContain('No policy was named');
  });
});
