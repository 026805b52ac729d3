import { once } from 'node:events';
import { chmod, copyFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { createCheckClient } from '../../support/check-client.ts';
import { checkRequest } from '../../support/check-messages.ts';
import { startProcess } from '../../support/child-process.ts';
import { createTestKeys } from '../../support/e2e-keys.ts';
import { changeUrl, startTestPostgres, type TestPostgres } from '../../support/postgres.ts';
import {
  E2E_POLICY,
  latchkey,
  type Sidecar,
  type SidecarSetup,
  startSidecar,
  type Variables,
} from '../../support/sidecar.ts';
import { until } from '../../support/until.ts';

let postgres: TestPostgres;
const sidecars: Sidecar[] = [];

beforeAll(async () => {
  postgres = await startTestPostgres();
});
afterEach(async () => {
  await Promise.all(sidecars.splice(0).map((sidecar) => sidecar.stop('SIGKILL')));
});
afterAll(() => postgres.close());

async function start(setup: Partial<SidecarSetup> = {}): Promise<Sidecar> {
  const sidecar = await startSidecar({ databaseUrl: postgres.url, ...setup });
  sidecars.push(sidecar);
  return sidecar;
}

/** How a start ends that cannot succeed. */
async function refusal(setup: Partial<SidecarSetup>) {
  const sidecar = await start({ ...setup, waitUntilReady: false });
  return { ...(await sidecar.exited), stderr: sidecar.stderr().join('\n'), sidecar };
}

/** Of an orderly stop, as the log tells it; `undefined` where there was none. */
const exitCodeOf = (sidecar: Sidecar) =>
  sidecar.log().find(({ message }) => message === 'stopped')?.['exit_code'];

describe('a start that cannot succeed says what to do, and exits with 1', () => {
  it.each<[string, () => Promise<Partial<SidecarSetup>>, RegExp]>([
    [
      'a certificate that the URL names and nobody can read',
      async () => ({
        databaseUrl: changeUrl(postgres.url, {
          parameters: { sslmode: 'verify-ca', sslrootcert: '/nowhere/ca.crt' },
        }),
      }),
      /^latchkey: The file "\/nowhere\/ca\.crt", which the database URL names, cannot be read \(ENOENT\)\.$/,
    ],
    [
      'a user without rights',
      async () => ({ databaseUrl: await postgres.createLogin('stranger') }),
      /^latchkey: .*permission denied.* latchkey_check serves/,
    ],
    [
      'a database without a schema',
      async () => {
        await postgres.sql('CREATE DATABASE empty');
        return { databaseUrl: changeUrl(postgres.url, { database: 'empty' }) };
      },
      /^latchkey: The database has no schema yet\. Run `latchkey migrate`\.$/,
    ],
  ])('%s', async (_, setup, message) => {
    const { code, stderr, sidecar } = await refusal(await setup());
    expect(stderr).toMatch(message);
    expect(code).toBe(1);
    // What had been opened was closed in order.
    expect(exitCodeOf(sidecar)).toBe(0);
  });
});

it('a database URL that nobody understands is a mistake in the configuration: exit code 2', async () => {
  const wrong = changeUrl(postgres.url, { parameters: { sslmode: 'perhaps' } });
  const variables = { LATCHKEY_DATABASE_LISTEN_URL: wrong };
  const { code, stderr, sidecar } = await refusal({ variables });
  expect(stderr).toMatch(
    /^latchkey: LATCHKEY_DATABASE_LISTEN_URL cannot be used\. Its sslmode is none of/,
  );
  expect(code).toBe(2);
  expect(sidecar.log()).toEqual([]);
});

describe('told to stop', () => {
  it('while it starts: it stops as soon as the start is over', async () => {
    const sidecar = await startInBlackHole();
    sidecar.signal('SIGTERM');
    expect(await sidecar.exited).toEqual({ code: 0, signal: null });
    expect(exitCodeOf(sidecar)).toBe(0);
  });

  it('twice while it starts: it ends at once', async () => {
    const sidecar = await startInBlackHole();
    sidecar.signal('SIGTERM');
    sidecar.signal('SIGINT');
    const { code } = await sidecar.exited;
    // The system may deliver two signals that are pending at once in either order.
    expect([130, 143]).toContain(code);
    expect(exitCodeOf(sidecar)).toBeUndefined();
  });

  it('while Postgres is a black hole and a use is still to be written: in order and in time', async () => {
    const { proxy, url } = await postgres.proxy();
    const sidecar = await start({ databaseUrl: url });
    const client = createCheckClient({ path: sidecar.socketPath });
    const { text } = await (await createTestKeys(postgres)).create();
    const headers = [['authorization', `Bearer ${text}`]] as const;
    await client.check(checkRequest({ path: '/v1/read', headers }));
    client.close();
    proxy.setMode('blackhole');
    expect(await sidecar.stop()).toEqual({ code: 0, signal: null });
    const outcomes = sidecar.log().filter(({ message }) => message === 'stop phase ended');
    expect(outcomes.map(({ outcome }) => outcome)).toEqual(Array(5).fill('done'));
  });

  it('it tells of connections that had to be cut', async () => {
    const sidecar = await start({ variables: { LATCHKEY_DRAIN_GRACE: '100ms' } });
    // Says nothing and hears nothing: a client of HTTP/2 that hangs.
    const socket = connect(sidecar.socketPath);
    await once(socket, 'connect');
    socket.on('error', () => {});
    expect(await sidecar.stop()).toEqual({ code: 0, signal: null });
    socket.destroy();
    const message = 'connections cut after the grace';
    expect(sidecar.log().find((line) => line['message'] === message)).toMatchObject({
      level: 'warn',
      connections: 1,
    });
  });

  /** In the middle of its start: for seconds it waits for a database that does not answer. */
  async function startInBlackHole(): Promise<Sidecar> {
    const { proxy, url } = await postgres.proxy();
    proxy.setMode('blackhole');
    const sidecar = await start({ databaseUrl: url, waitUntilReady: false });
    await until('a connection to the database', () => proxy.accepted() > 0);
    return sidecar;
  }
});

it('says why the database cannot be used yet, and does not say it again and again', async () => {
  const url = changeUrl(await postgres.createLogin('sidecar', 'latchkey_check'), {
    password: 'a-wrong-one',
  });
  const sidecar = await start({ databaseUrl: url, waitUntilReady: false });
  const line = await sidecar.logged({ message: 'the database cannot be used yet' });
  expect(line['problem']).toMatch(/\(28P01\)\. It says: password authentication failed/);
  await postgres.sql("ALTER ROLE sidecar PASSWORD 'a-wrong-one'");
  await sidecar.reached('ready');
  const lines = sidecar.log().filter(({ message }) => message === line['message']);
  expect(lines).toHaveLength(1);
  expect(sidecar.stdout().join('')).not.toContain('a-wrong-one');
});

it('SIGHUP has the certificates read at once; those that cannot be used degrade it', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'latchkey-test-tls-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const fixture = (name: string) =>
    fileURLToPath(new URL(`../../fixtures/tls/${name}`, import.meta.url));
  const files = { cert: join(folder, 'server.crt'), key: join(folder, 'server.key') };
  await copyFile(fixture('server.crt'), files.cert);
  await copyFile(fixture('server.key'), files.key);
  const sidecar = await start({
    variables: { LATCHKEY_TLS_CERT_FILE: files.cert, LATCHKEY_TLS_KEY_FILE: files.key },
  });
  const loaded = () => sidecar.log().filter(({ message }) => message === 'certificate in use');
  expect(loaded()).toHaveLength(1);
  await copyFile(fixture('server-next.crt'), files.cert);
  await copyFile(fixture('server-next.key'), files.key);
  sidecar.signal('SIGHUP');
  // By itself it looks every ten seconds.
  await until('the new certificate', () => loaded().length === 2, 5_000);
  const notAfter = () => sidecar.metric('latchkey_certificate_not_after_timestamp_seconds');
  expect(await notAfter()).toBe(Date.parse(String(loaded()[1]?.['not_after'])) / 1000);

  // One that cannot be used: the one before stays in use, and somebody should look.
  await writeFile(files.cert, 'no certificate');
  sidecar.signal('SIGHUP');
  await sidecar.reached('degraded');
  expect(await sidecar.metric('latchkey_certificate_last_reload_successful')).toBe(0);
  expect(await sidecar.metric('latchkey_part_state{part="certificate",state="degraded"}')).toBe(1);
  await copyFile(fixture('server-next.crt'), files.cert);
  sidecar.signal('SIGHUP');
  await sidecar.reached('ready');
});

describe('an embedded Postgres is not left behind', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'latchkey-test-embedded-'));
    await chmod(folder, 0o711);
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('when the start stops halfway', async () => {
    const { server, port } = await takenPort();
    const variables = serveEmbedded('halfway', { LATCHKEY_ADMIN_LISTEN: `127.0.0.1:${port}` });
    const { code, stderr } = await latchkey(['serve'], variables);
    server.close();
    expect(stderr).toMatch(new RegExp(`^latchkey: Health and metrics cannot listen on .*:${port}`));
    expect(code).toBe(1);
    expect(await noteOfServer('halfway')).toBe('gone');
  });

  it('when it is told to stop while the database is being made', async () => {
    const main = fileURLToPath(new URL('../../../src/main.ts', import.meta.url));
    const { PATH = '', HOME = '' } = process.env;
    const env = { PATH, HOME, ...serveEmbedded('interrupted') };
    const child = startProcess(process.execPath, [main, 'serve'], { env });
    await until('the making of the database', async () => {
      const names = await readdir(join(folder, 'interrupted')).catch(() => []);
      return names.length > 0;
    });
    child.kill('SIGTERM');
    expect(await child.exited).toEqual({ code: 0, signal: null });
    expect(await noteOfServer('interrupted')).toBe('gone');
  });

  function serveEmbedded(name: string, changes: Variables = {}): Variables {
    return {
      LATCHKEY_EMBEDDED_DIR: join(folder, name),
      LATCHKEY_POLICY: E2E_POLICY,
      LATCHKEY_CHECK_LISTEN: '127.0.0.1:0',
      LATCHKEY_ADMIN_LISTEN: '127.0.0.1:0',
      LATCHKEY_DRAIN_WAIT: '0ms',
      ...changes,
    };
  }

  /** Postgres removes its note at the end of an orderly stop. */
  const noteOfServer = (name: string): Promise<string> =>
    readFile(join(folder, name, 'cluster', 'postmaster.pid'), 'utf8').catch(() => 'gone');
});

async function takenPort(): Promise<{ server: Server; port: number }> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, port: (server.address() as AddressInfo).port }; // It listens on TCP.
}
