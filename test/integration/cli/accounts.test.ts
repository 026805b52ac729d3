import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DEFAULT_KEY_FORMAT } from '../../../src/key-text/key-format.ts';
import { readKeyText } from '../../../src/key-text/read.ts';
import { startTestPostgres, type TestPostgres } from '../../support/postgres.ts';
import { type CommandLine, commandLine } from './command-line.ts';

let postgres: TestPostgres;
let cli: CommandLine;

beforeAll(async () => {
  postgres = await startTestPostgres();
  cli = await commandLine(postgres);
});

afterAll(() => postgres.close());

const ISO_TIME = String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`;

/** Every time in a document is a whole number of milliseconds, or null. */
function expectWholeTimes(document: unknown): void {
  const times = [...JSON.stringify(document).matchAll(/"(\w+Ms)":([^,}]+)/g)];
  expect(times.length).toBeGreaterThan(0);
  for (const [, , value] of times) expect(value).toMatch(/^(\d+|null)$/);
}

describe('the life of a key, from one terminal', () => {
  it('organizations and users are created and listed, for people and as JSON', async () => {
    const created = await cli.run(['orgs', 'create', 'acme', '--plan', 'trial']);
    expect(created).toMatchObject({ code: 0, stderr: '' });
    expect(created.stdout).toMatch(
      new RegExp(
        `^id: {7}org_\\w{16}\nname: {5}acme\nplan: {5}trial\ncreated: {2}${ISO_TIME}\ndisabled: -\n$`,
      ),
    );
    const dana = await cli.json([
      ...['users', 'create', 'Dana D', '--org', 'acme', '--email', 'dana@example.com'],
      ...['--role', 'org_admin'],
    ]);
    expect(dana.document).toMatchObject({
      ...{ name: 'Dana D', email: 'dana@example.com', role: 'org_admin', disabledAtMs: null },
      id: expect.stringMatching(/^usr_\w{16}$/),
    });
    expectWholeTimes(dana.document);

    const orgs = await cli.run('orgs list');
    expect(orgs.stdout).toMatch(/^ID +NAME +PLAN +CREATED +DISABLED\norg_\w{16} +acme +trial +/);
    const users = await cli.json('users list --org acme');
    expect(users.document).toEqual([dana.document]);
    expect((await cli.run('users list')).stdout).toContain('dana@example.com');
  });

  it('a key is created: standard output is the key and nothing else', async () => {
    const created = await cli.run(
      'keys create --org acme --name ci --owner dana@example.com --scope read --scope raed --expires 90d',
    );
    expect(created.code).toBe(0);
    const text = created.stdout.trimEnd();
    expect(created.stdout).toBe(`${text}\n`);
    const reading = readKeyText(text, DEFAULT_KEY_FORMAT);
    expect(reading).toMatchObject({ kind: 'ours', environment: 'live' });
    expect(created.stderr).toMatch(/not shown again/);
    expect(created.stderr).toMatch(/^scopes: +read raed$/m);
    expect(created.stderr).toContain('No route of the policy asks for the scope "raed".');
    expect(created.stderr).not.toContain(text);
    // The id is public, what follows it is not.
    const id = 'id' in reading ? reading.id : '';
    expect(created.stderr).not.toContain(text.slice(text.indexOf(id) + id.length));
  });

  it('with --json the key is a field of its record', async () => {
    const { document, stderr } = await cli.json(
      'keys create --org acme --name batch --environment test --plan trial --cidr 192.0.2.0/24 --expires 2099-01-31',
    );
    expect(document).toMatchObject({
      ...{ name: 'batch', environment: 'test', plan: 'trial', allowedCidrs: ['192.0.2.0/24'] },
      ...{ expiresAtMs: Date.UTC(2099, 0, 31), scopes: [], ownerId: null },
      key: expect.stringMatching(/^lk_test_\w{46}$/),
    });
    expectWholeTimes(document);
    expect(stderr).not.toContain(document.key);
  });

  it('is listed and shown, never with its secret', async () => {
    const { document: keys } = await cli.json('keys list');
    expect(keys.map(({ name }: { name: string }) => name).sort()).toEqual(['batch', 'ci']);
    expectWholeTimes(keys);
    expect((await cli.json('keys list --owner dana@example.com')).document).toHaveLength(1);

    const [{ id, secrets }] = keys;
    const shown = await cli.run(['keys', 'show', id]);
    expect(shown.stdout).toMatch(new RegExp(`^state: +active\nid: +${id}$`, 'm'));
    expect(shown.stdout).toContain(`${secrets[0].start}…`);
    expect((await cli.json(['keys', 'show', id])).document).toEqual(keys[0]);
    const table = await cli.run('keys list --org acme');
    expect(table.stdout).toMatch(
      /^ID +NAME +ORGANIZATION +ENVIRONMENT +SCOPES +STATE +EXPIRES +LAST USED\n/,
    );
    expect(table.stdout).not.toMatch(/lk_(live|test)_\w{20}/);
  });

  it('is rotated, disabled, enabled, and revoked; each says what it did', async () => {
    const { document: made } = await cli.json('keys create --org acme --name r --scope read');
    const { id, key } = made;
    const rotated = await cli.run(['keys', 'rotate', id, '--overlap', '1h']);
    expect(rotated.code).toBe(0);
    expect(rotated.stdout).toMatch(new RegExp(`^lk_live_${id}\\w{36}\n$`));
    expect(rotated.stdout).not.toContain(key);
    expect(rotated.stderr).toMatch(new RegExp(`^old secret: works until ${ISO_TIME}$`, 'm'));
    const again = await cli.run(['keys', 'rotate', id]);
    expect(again).toMatchObject({ code: 1, stdout: '' });
    expect(again.stderr).toMatch(/rotating already.*overlap of 0/);
    const ended = await cli.run(['keys', 'rotate', id, '--overlap', '0']);
    expect(ended.stderr).toMatch(/^old secret: has ended$/m);

    expect((await cli.run(['keys', 'disable', id])).stdout).toBe(`Disabled ${id}.\n`);
    expect((await cli.run(['keys', 'disable', id])).stdout).toBe(`${id} was disabled before.\n`);
    expect((await cli.run(['keys', 'show', id])).stdout).toMatch(/^state: +disabled$/m);
    const enabled = await cli.json(['keys', 'enable', id]);
    expect(enabled.document).toMatchObject({ id, changed: true, disabledAtMs: null });

    const revoked = await cli.run(['keys', 'revoke', id]);
    expect(revoked).toMatchObject({ code: 0, stdout: `Revoked ${id}.\n` });
    expect((await cli.run(['keys', 'revoke', id])).stdout).toBe(`${id} was revoked before.\n`);
    const rotatedLate = await cli.run(['keys', 'rotate', id]);
    expect(rotatedLate).toMatchObject({ code: 1, stdout: '' });
    expect(rotatedLate.stderr).toContain('Create a new one');
    const { document } = await cli.json(['keys', 'enable', id]);
    expect(document).toMatchObject({ error: { reason: 'conflict' } });
  });

  it('organizations and users are switched off and on', async () => {
    expect((await cli.run('orgs disable acme')).stdout).toMatch(/^Disabled acme \(org_\w+\)\.\n$/);
    expect((await cli.json('orgs enable acme')).document).toMatchObject({ changed: true });
    expect((await cli.run('users disable dana@example.com')).stdout).toMatch(/^Disabled Dana D/);
    expect((await cli.run('users enable DANA@example.com')).stdout).toMatch(/^Enabled Dana D/);
    const absent = await cli.run('users disable nobody');
    expect(absent).toMatchObject({ code: 1, stdout: '' });
    expect(absent.stderr).toContain('latchkey users list');
  });

  it('the audit log has every change under the name of who typed it, and no secret', async () => {
    const rows = await postgres.sql<{ actor: string; verb: string }>(
      'SELECT actor, verb FROM latchkey.audit_log',
    );
    expect(new Set(rows.map(({ verb }) => verb))).toEqual(
      new Set([
        ...['organization.create', 'organization.disable', 'organization.enable'],
        ...['user.create', 'user.disable', 'user.enable', 'key.create', 'key.rotate'],
        ...['key.disable', 'key.enable', 'key.revoke'],
      ]),
    );
    for (const { actor } of rows) expect(actor).toMatch(/^cli:.+/);
  });
});

describe('what cannot be is refused: the exit code says of which kind', () => {
  it.each([
    [2, 'orgs create acme2 --plan gold', /no plan "gold".*default, trial/],
    [1, 'orgs create acme', /named "acme" already/],
    [1, 'users create Ed --org nowhere', /no organization "nowhere".*latchkey orgs list/],
    [2, 'keys create --org acme --name x --environment prod', /no environment "prod".*live, test/],
    [2, 'keys create --org acme --name x --plan gold', /no plan "gold"/],
    [2, 'keys create --org acme --name x --expires soon', /--expires "soon" is no time\. Write/],
    [2, 'keys create --org acme --name x --cidr 192.0.2.1/24', /host bits zero/],
    [
      1,
      'keys create --org acme --name x --owner nobody',
      /no user "nobody" in the organization "acme"/,
    ],
    [1, 'keys show nothing', /no key with the id "nothing".*keys list/],
  ])('%i: %s', async (code, line, message) => {
    const output = await cli.run(line);
    expect(output).toMatchObject({ code, stdout: '' });
    expect(output.stderr).toMatch(message);
    expect(output.stderr).toMatch(/^latchkey: [^\n]+\n$/);
  });
});

it('a name that drives a terminal is made harmless for people, and kept for programs', async () => {
  const name = '\u001b]0;owned\u0007\u001b[2Jevil\u009b31m\u202e';
  await postgres.sql(`INSERT INTO latchkey.organizations (id, name) VALUES ('org_evil', $1)`, [
    name,
  ]);
  await postgres.sql(`INSERT INTO latchkey.api_keys (id, name, organization_id, environment)
    VALUES ('evil', E'\\x1b[31mred', 'org_evil', 'live')`);
  for (const line of ['orgs list', 'orgs disable org_evil', 'keys list', 'keys show evil']) {
    const { code, stdout, stderr } = await cli.run(line);
    expect(code).toBe(0);
    expect(`${stdout}${stderr}`).toContain('\ufffd');
    expect(`${stdout}${stderr}`).not.toMatch(/[\u001b\u0007\u009b\u202e]/);
  }
  const { document, stdout } = await cli.json('orgs list');
  expect(stdout).not.toMatch(/[\u001b\u0007\u009b\u202e]/);
  expect(document).toContainEqual(expect.objectContaining({ id: 'org_evil', name }));
});
