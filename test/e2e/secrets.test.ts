import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { adminPage } from '../../src/app/envoy-process.ts';
import { DEFAULT_KEY_FORMAT } from '../../src/key-text/key-format.ts';
import { mintKey } from '../../src/key-text/mint.ts';
import { createCanaries } from '../support/canaries.ts';
import { carrying, PLACES, requestsWith } from '../support/e2e-credentials.ts';
import { startEnvoy, type TestEnvoy } from '../support/envoy.ts';
import type { RequestInit } from '../support/http-clients.ts';
import { changeUrl, startTestPostgres, type TestPostgres } from '../support/postgres.ts';
import {
  type CommandOutput,
  E2E_POLICY,
  latchkey,
  type Sidecar,
  startSidecar,
  type Variables,
} from '../support/sidecar.ts';
import { until } from '../support/until.ts';

/*
 * One life of a deployment, from the first key to an outage, with canaries for secrets; then everything that anybody could read
 * of it is searched for them. Whatever is written by a process, Postgres or Envoy is only to be had from the real ones.
 */

/** The one line that shows a new key is not heard. */
const { release: canary, hear, names, said, findIn } = createCanaries();

let postgres: TestPostgres;
let folder: string;
let variables: Variables;
let sidecar: Sidecar;
let envoy: TestEnvoy;
const pepper = canary('the pepper', randomBytes(32).toString('base64'));

beforeAll(async () => {
  postgres = await startTestPostgres();
  folder = await mkdtemp(join(tmpdir(), 'latchkey-secrets-'));
  const url = await postgres.createLogin('watcher', 'latchkey_check');
  const apiUrl = await postgres.createLogin('clerk', 'latchkey_api');
  for (const login of ['watcher', 'clerk']) {
    canary(`the password of ${login}`, `${login}-password`);
  }
  await writeFile(join(folder, 'url'), url, { mode: 0o600 });
  variables = {
    LATCHKEY_DATABASE_URL: apiUrl,
    LATCHKEY_POLICY: E2E_POLICY,
    LATCHKEY_PEPPERS: `1:${pepper}`,
  };
  sidecar = await startSidecar({
    databaseUrl: url,
    variables: { LATCHKEY_PEPPERS: `1:${pepper}`, LATCHKEY_LOG_LEVEL: 'debug' },
  });
  envoy = await startEnvoy({ check: { socketPath: sidecar.socketPath } });
  await envoy.whenHealthy();
});
afterAll(async () => {
  await envoy?.stop();
  await sidecar?.stop();
  await postgres?.close();
  if (folder !== undefined) await rm(folder, { recursive: true, force: true });
});

/** Runs a command that is to work, and hears what it says on both outputs. */
async function run(args: readonly string[], stdin?: string): Promise<CommandOutput> {
  const output = await latchkey(args, variables, stdin);
  hear(`latchkey ${args.slice(0, 2).join(' ')}`, output.stderr, output.stdout);
  expect([args, output.code]).toEqual([args, 0]);
  return output;
}

/** The same where the output shows a key, which is for standard output alone. */
async function runForKey(
  args: readonly string[],
): Promise<{ readonly id: string; readonly key: string }> {
  const output = await latchkey([...args, '--json'], variables);
  expect([args, output.code]).toEqual([args, 0]);
  const { key, ...record } = JSON.parse(output.stdout);
  hear(`latchkey ${args.slice(0, 2).join(' ')}`, output.stderr, JSON.stringify(record));
  return { id: record.id, key };
}

/** Sends it, and hears the answer if it is a refusal: the upstream's echo is its own matter. */
async function send(request: RequestInit): Promise<number> {
  const response = await envoy.request(request);
  hear(`answers ${response.status}`, JSON.stringify(response.headers));
  if (response.status !== 200) hear(`answers ${response.status}`, response.body);
  return response.status;
}

/** By every kind of request, right and wrong. */
async function sendEverywhere(text: string): Promise<void> {
  for (const request of requestsWith(text)) await send(request);
  const { message } = await envoy.grpcRequest({ headers: [['authorization', `Bearer ${text}`]] });
  hear('answers to gRPC', message);
}

it('a life: keys are made, used, guessed, rotated, revoked; Postgres comes and goes', async () => {
  await run(['orgs', 'create', 'acme']);
  await run(['users', 'create', 'Ann', '--org', 'acme', '--email', 'ann@example.com']);
  const made = await runForKey([
    'keys',
    'create',
    '--org',
    'acme',
    '--name',
    'ci',
    '--scope',
    'read',
  ]);
  canary('a key', made.key);
  expect(await send(carrying('bearer', made.key, { path: '/v1/read' }))).toBe(200);
  await sendEverywhere(made.key);

  const foreign = canary('an imported key', `odd-${randomBytes(24).toString('hex')}`);
  await run(['keys', 'import', '-'], JSON.stringify({ org: 'acme', name: 'old', text: foreign }));
  await sendEverywhere(foreign);

  const rotated = await runForKey(['keys', 'rotate', made.id, '--overlap', '1h']);
  canary('the second secret of a key', rotated.key);
  await until('it works', async () => {
    return (await send(carrying('header', rotated.key, { path: '/v1/read' }))) === 200;
  });
  const looks = ['keys list', 'keys list --json', `keys show ${made.id}`, 'config check --json'];
  await Promise.all(looks.map((command) => run(command.split(' '))));
  await run(['keys', 'revoke', made.id, '--wait']);
  expect(await send(carrying('bearer', made.key, { path: '/v1/read' }))).toBe(401);

  const guess = canary(
    'a key that nobody has',
    mintKey(DEFAULT_KEY_FORMAT, 'live', randomBytes).text,
  );
  await sendEverywhere(guess);
  await postgres.stop();
  const late = canary('a key in an outage', mintKey(DEFAULT_KEY_FORMAT, 'live', randomBytes).text);
  for (const place of PLACES) {
    expect(await send(carrying(place, late, { path: '/v1/read' }))).toBe(503);
  }
  await postgres.start();
  await until('Postgres is asked again', async () => {
    return (await send(carrying('bearer', late, { path: '/v1/read' }))) === 401;
  });
  await writeFile(
    sidecar.policyFile,
    (await readFile(E2E_POLICY, 'utf8')).replace('realm:', 'relm:'),
  );
  await sidecar.logged({ message: 'policy rejected, the one before stays in force' });
});

it('what fails says why, and not with which secret', async () => {
  const wrong = canary('a wrong password', `wrong-${randomBytes(12).toString('hex')}`);
  const url = changeUrl(postgres.url, { password: wrong });
  const unable = await startSidecar({ databaseUrl: url, waitUntilReady: false });
  await unable.reached('not_ready');
  await until('it says so', () =>
    unable.stdout().some((line) => /not (been|answer)|wait/i.test(line)),
  );
  await unable.stop();
  hear('a sidecar with a wrong password', ...unable.stdout(), ...unable.stderr());

  const attempts: readonly (readonly [args: readonly string[], changed: Variables])[] = [
    [['keys', 'list'], { LATCHKEY_DATABASE_URL: url }],
    [['migrate'], { LATCHKEY_DATABASE_URL: url }],
    [['keys', 'list'], { LATCHKEY_DATABASE_URL: url.replace('postgres', 'nonsense') }],
    [['keys', 'list'], { LATCHKEY_DATABASE_URL: `${url}&sslmode=${wrong}` }],
    [['config', 'check'], { LATCHKEY_DATABASE_URL: `${url} ${wrong}` }],
    [['serve'], { LATCHKEY_DATABASE_URL: `postgres://u:${wrong}@:x:y/` }],
    [['config', 'check'], { LATCHKEY_PEPPERS: `1:${pepper},1:${pepper}` }],
    [['config', 'check'], { LATCHKEY_PEPPERS: `x${pepper}` }],
    [['keys', 'list'], { LATCHKEY_PEPPERS: `1:${pepper.slice(0, -4)}` }],
  ];
  for (const [args, changed] of attempts) {
    const { code, stdout, stderr } = await latchkey(args, { ...variables, ...changed });
    hear(`latchkey ${args.join(' ')}, failing`, stdout, stderr);
    expect([args, code === 0]).toEqual([args, false]);
    expect(stderr).not.toBe('');
  }
  const bad = canary('a line that is no import', `odd-${randomBytes(24).toString('hex')}`);
  for (const line of [
    `{"text": "${bad}"`,
    JSON.stringify({ org: 'no', name: 'x', text: `${bad} ` }),
  ]) {
    const { code, stdout, stderr } = await latchkey(['keys', 'import', '-'], variables, line);
    hear('latchkey keys import, failing', stdout, stderr);
    expect(code).not.toBe(0);
  }
});

describe('nowhere a secret', () => {
  it('there were secrets to be found', () => {
    expect(names()).toHaveLength(10);
    expect(findIn([`x${pepper}y`])).toHaveLength(1);
  });

  it('in what commands and answers said', () => {
    for (const [who, lines] of said()) expect([who, findIn(lines)]).toEqual([who, []]);
  });

  it('in the log of the sidecar, which told of every kind of refusal', () => {
    const reasons = new Set(sidecar.log().map(({ reason }) => reason));
    for (const reason of ['key_checksum', 'key_unknown', 'key_revoked', 'store_unavailable']) {
      expect(reasons).toContain(reason);
    }
    expect(findIn([...sidecar.stdout(), ...sidecar.stderr()])).toEqual([]);
  });

  it('in its metrics and health', async () => {
    const { state } = await sidecar.readyz();
    expect(findIn([await sidecar.metrics(), state])).toEqual([]);
  });

  it('in the log of Envoy, its access log, its configuration and its counters', async () => {
    await envoy.request({ path: '/v1/none/last' });
    const last = await envoy.accessLogLine('/v1/none/last');
    const access = await envoy.accessLogLine('/v1/hidden/x');
    const pages = await Promise.all(
      ['/stats', '/config_dump', '/clusters'].map((path) => adminPage(envoy.adminPort, path)),
    );
    expect(findIn([...envoy.log(), last, access, ...pages])).toEqual([]);
  });

  it('in any table of the database', async () => {
    const tables = await postgres.sql<{ name: string }>(
      "SELECT quote_ident(table_name) AS name FROM information_schema.tables WHERE table_schema = 'latchkey'",
    );
    const rows: string[] = [];
    for (const { name } of tables) {
      const found = await postgres.sql<{ row: unknown }>(
        `SELECT row_to_json(t)::text AS row FROM latchkey.${name} t`,
      );
      rows.push(...found.map(({ row }) => String(row)));
    }
    expect(rows.some((row) => row.includes('key.create') || row.includes('created'))).toBe(true);
    expect(findIn(rows)).toEqual([]);
  });

  it('in the arguments of the process', async () => {
    expect(findIn([await readFile(`/proc/${sidecar.pid}/cmdline`, 'utf8')])).toEqual([]);
  });
});
