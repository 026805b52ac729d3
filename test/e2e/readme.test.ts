import { readFileSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SETTINGS } from '../../src/config/settings.ts';
import { chosenSuites } from '../../tools/test-suites.ts';
import { startProcess } from '../support/child-process.ts';
import { documentedCommands, fencedBlock, words } from '../support/documented-commands.ts';
import { startTestPostgres, type TestPostgres } from '../support/postgres.ts';
import { latchkey } from '../support/sidecar.ts';
import { until } from '../support/until.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const README = readFileSync(join(ROOT, 'README.md'), 'utf8');
const CONTRIBUTING = readFileSync(join(ROOT, 'CONTRIBUTING.md'), 'utf8');
const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));

let postgres: TestPostgres;
let folder: string;
let policyFile: string;
/** Of the key that `keys create` made, for the commands after it. */
let keyId = '';

beforeAll(async () => {
  postgres = await startTestPostgres();
  folder = await mkdtemp(join(tmpdir(), 'latchkey-readme-'));
  await chmod(folder, 0o711);
  policyFile = join(folder, 'policy.yaml');
  await writeFile(policyFile, fencedBlock(README, 'yaml'));
});

afterAll(async () => {
  await postgres.close();
  await rm(folder, { recursive: true, force: true });
});

type Run = (text: string) => unknown;

/** Of the project that it names there is one file of this name, which reads these variables. */
function findTests(text: string): void {
  const [, project = '', name = ''] = / --project (\w+) (\S+)$/.exec(text) ?? [];
  const source = readFileSync(join(ROOT, 'test', project, `${name}.test.ts`), 'utf8');
  for (const [variable] of text.matchAll(/LATCHKEY_\w+/g)) expect(source).toContain(variable);
}

/** The script is there, and takes what it is given for suites. */
function checkSuites(text: string): void {
  const [script = '', ...given] = text.replace(/^npm (run )?/, '').split(/ (?:-- )?/);
  const [file, ...args] = String(scripts[script]).split(' ').slice(3);
  expect(file).toBe('tools/test.ts');
  expect(chosenSuites([...args, ...given]).length).toBeGreaterThan(0);
}

/** How each command of the pages is held. The first that fits counts; a command that none fits fails the test. */
const WAYS: readonly (readonly [RegExp, Run])[] = [
  // This very test runs under these: that the script is there is what is left to say.
  [
    /^npm ci$/,
    () => expect(readFileSync(join(ROOT, 'package-lock.json')).length).toBeGreaterThan(0),
  ],
  [/^npm (test|run test:\w+)( -- \S+)?$/, checkSuites],
  [/^LATCHKEY_TEST_\w+=.* npx vitest /, findTests],
  [/^npm run build$/, () => expect(scripts.build).toContain('tools/build.ts')],
  [/^npm run check( -- --write)?$/, () => expect(scripts.check).toContain('tools/check.ts')],
  [/^npm run demo$/, runDemo],
  [/^npm run demo -- --smoke$/, runSmoke],
  [/^npm run -s latchkey -- /, runThroughNpm],
  [/^export LATCHKEY_\w+='[^']*'$/, checkVariable],
  [/^latchkey serve /, serve],
  [/^latchkey keys import$/, importKey],
  [/^latchkey /, runCommand],
];

const variables = () => ({ LATCHKEY_DATABASE_URL: postgres.url, LATCHKEY_POLICY: policyFile });
const environment = () => ({ PATH: process.env['PATH'] ?? '', HOME: folder, ...variables() });

/** The page's own words, with the places of this test. */
function argumentsOf(text: string): string[] {
  return words(text)
    .slice(1)
    .map((word) => {
      if (word === 'policy.yaml') return policyFile;
      return word === '<id>' ? keyId : word;
    });
}

async function runCommand(text: string): Promise<void> {
  const { code, stdout, stderr } = await latchkey(argumentsOf(text), variables());
  expect({ code, stderr }).toEqual({ code: 0, stderr: expect.any(String) });
  const made = /^lk_live_(\w{10})/.exec(stdout)?.[1];
  if (made !== undefined) keyId = made;
  if (text.includes('--wait')) expect(stdout).toContain(`Revoked ${keyId}.`);
}

async function importKey(): Promise<void> {
  const row = { org: 'acme', name: 'imported', text: 'cpx_live.of-another-system' };
  const imported = await latchkey(['keys', 'import', '-'], variables(), JSON.stringify(row));
  expect(imported).toMatchObject({ code: 0, stdout: 'Imported 1 key.\n' });
}

/** Its name is one that latchkey knows, and its value one that it takes. */
async function checkVariable(text: string): Promise<void> {
  const [, name = '', value = ''] = /^export (\w+)='([^']*)'$/.exec(text) ?? [];
  expect(Object.values(SETTINGS).map(({ variable }) => variable)).toContain(name);
  const checked = await latchkey(['config', 'check'], { ...variables(), [name]: value });
  expect(checked).toMatchObject({ code: 0, stderr: '' });
}

async function serve(text: string): Promise<void> {
  const socket = join(folder, 'check.sock');
  const args = argumentsOf(text).map((word) =>
    word.startsWith('unix:') ? `unix:${socket}` : word,
  );
  const env = {
    ...environment(),
    LATCHKEY_ADMIN_LISTEN: '127.0.0.1:0',
    LATCHKEY_DRAIN_WAIT: '0ms',
  };
  const server = startProcess(process.execPath, [join(ROOT, 'src/main.ts'), ...args], { env });
  try {
    await until(`${text} listens`, () => accepts(socket), 20_000);
  } finally {
    server.kill('SIGTERM');
  }
  expect(await server.exited).toEqual({ code: 0, signal: null });
  expect(server.stderr()).toEqual([]);
}

const accepts = (path: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });

/** It rehearses what it tells people to do, through npm as they would. */
async function runSmoke(text: string): Promise<void> {
  const demo = startProcess('npm', [...words(text).slice(1), '--port', '0'], {
    env: { PATH: environment().PATH, HOME: process.env['HOME'] ?? '' },
  });
  const { code } = await demo.exited;
  const told = demo.stdout().join('\n');
  expect({ code, told }).toEqual({ code: 0, told: expect.stringContaining('The demo works.') });
  for (const status of [200, 401, 403, 404, 429]) {
    expect(told).toMatch(new RegExp(`^ok +${status} `, 'm'));
  }
}

/** Until Ctrl-C: three keys, commands to paste, a revocation from another terminal, and nothing left behind. */
async function runDemo(): Promise<void> {
  expect(scripts.demo).toMatch(/src\/main\.ts demo$/);
  const place = join(folder, 'demo');
  // Under root, Postgres runs as another user, who has to pass through.
  await mkdir(place, { mode: 0o711 });
  const env = { PATH: environment().PATH, HOME: process.env['HOME'] ?? '', TMPDIR: place };
  const args = [join(ROOT, 'src/main.ts'), 'demo', '--port', '0'];
  const demo = startProcess(process.execPath, args, { env });
  try {
    await until('the demo is up', () => demo.stdout().includes('Ctrl-C stops everything.'), 60_000);
    const told = demo.stdout().join('\n');
    expect(told.match(/^export \w+=lk_live_\w{46}$/gm)).toHaveLength(3);
    for (const status of [200, 401, 403, 404, 429]) {
      expect(told).toMatch(new RegExp(`^# ${status}: .*\n.*curl -i `, 'm'));
    }
    const [, dir = '', policy = ''] =
      /^export LATCHKEY_EMBEDDED_DIR=(\S+) LATCHKEY_POLICY=(\S+)$/m.exec(told) ?? [];
    const [, id = ''] = /keys revoke (\w{10}) --wait$/m.exec(told) ?? [];
    const there = { LATCHKEY_EMBEDDED_DIR: dir, LATCHKEY_POLICY: policy };
    const revoked = await latchkey(['keys', 'revoke', id, '--wait'], there);
    expect(revoked.stdout).toMatch(/^Revoked \w+\.\nConfirmed by 1 replica after \d+ ms\.\n$/);
  } finally {
    demo.kill('SIGINT');
  }
  expect(await demo.exited).toEqual({ code: 0, signal: null });
  expect(await readdir(place)).toEqual([]);
}

async function runThroughNpm(text: string): Promise<void> {
  const npm = startProcess('npm', words(text).slice(1), { env: environment() });
  const { code } = await npm.exited;
  expect({ code, head: npm.stdout()[0] }).toMatchObject({
    code: 0,
    head: expect.stringMatching(/^ID +NAME/),
  });
}

describe.each([
  ['README.md', README],
  ['CONTRIBUTING.md', CONTRIBUTING],
])('what %s tells its reader to type works', (_, page) => {
  const commands = documentedCommands(page);

  it.each(commands)('line $line: $text', async ({ text }) => {
    const way = WAYS.find(([pattern]) => pattern.test(text));
    if (way === undefined) throw new Error(`No test runs this command: ${text}`);
    await way[1](text);
  });
});

it('the commands of the README are found where they stand', () => {
  const texts = documentedCommands(README).map(({ text }) => text);
  // In text and in blocks, joined by && and alone.
  expect(texts).toEqual(
    expect.arrayContaining(['npm ci', 'npm run demo', 'npm run demo -- --smoke']),
  );
  expect(texts).toContain('latchkey keys revoke <id> --wait');
  expect(texts.length).toBeGreaterThanOrEqual(16);
  const page = [
    'text `latchkey a` and `npm b`',
    '```yaml',
    'latchkey: c',
    '```',
    '  ```sh',
    'd # e',
    '  ```',
  ];
  expect(documentedCommands(page.join('\n'))).toEqual([
    { line: 1, text: 'latchkey a' },
    { line: 1, text: 'npm b' },
    { line: 6, text: 'd' },
  ]);
});
