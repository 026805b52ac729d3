import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { StoreUnavailableError } from '../../../src/model/change.ts';
import { createChangeHints } from '../../../src/postgres/change-hints.ts';
import { migrate } from '../../../src/postgres/migrate.ts';
import { changeUrl, startTestPostgres, type TestPostgres } from '../../support/postgres.ts';
import { until } from '../../support/until.ts';

/* The server's certificate names "localhost" and no address, so 127.0.0.1 is a name that does not match. */
const signal = AbortSignal.timeout(60_000);
const fixture = (name: string) =>
  fileURLToPath(new URL(`../../fixtures/tls-postgres/${name}`, import.meta.url));

let withTls: TestPostgres;
let withoutTls: TestPostgres;

beforeAll(async () => {
  const settings = [
    'ssl=on',
    'ssl_cert_file=server.crt',
    'ssl_key_file=server.key',
    'ssl_ca_file=ca.crt',
  ];
  const files = {
    'server.crt': fixture('server.crt'),
    'server.key': fixture('server.key'),
    'ca.crt': fixture('ca.crt'),
  };
  [withTls, withoutTls] = await Promise.all([
    startTestPostgres({ settings, files }),
    startTestPostgres(),
  ]);
});

afterAll(async () => {
  await withTls.close();
  await withoutTls.close();
});

interface Session {
  readonly ssl: boolean;
  readonly client_dn: string | null;
}

/** How a connection with these parameters ends: encrypted, plain, or refused as an outage. */
async function connecting(
  server: TestPostgres,
  parameters: Record<string, string>,
  host = '127.0.0.1',
): Promise<'encrypted' | 'plain' | 'refused'> {
  const plain = changeUrl(server.url, { host, port: server.port });
  const url = new URL(plain);
  url.search = new URLSearchParams(parameters).toString();
  const rootCert = parameters['sslrootcert'];
  if (rootCert?.endsWith('.crt')) url.searchParams.set('sslrootcert', fixture(rootCert));
  const database = server.database({ url: url.toString() });
  const statement = {
    name: 'tls',
    text: 'SELECT ssl, client_dn FROM pg_stat_ssl WHERE pid = pg_backend_pid()',
  };
  try {
    const [session] = await database.query<Session>(statement, [], signal);
    return session?.ssl === true ? 'encrypted' : 'plain';
  } catch (error) {
    expect(error).toBeInstanceOf(StoreUnavailableError);
    return 'refused';
  } finally {
    await database.close();
  }
}

const CA = fixture('ca.crt');
const OTHER_CA = fixture('other-ca.crt');

describe('sslmode, against a server with TLS', () => {
  it.each([
    [{}, '127.0.0.1', 'encrypted'],
    [{ sslmode: 'disable' }, '127.0.0.1', 'plain'],
    [{ sslmode: 'prefer' }, '127.0.0.1', 'encrypted'],
    [{ sslmode: 'require' }, '127.0.0.1', 'encrypted'],
    [{ sslmode: 'require', sslrootcert: 'ca.crt' }, '127.0.0.1', 'encrypted'],
    [{ sslmode: 'require', sslrootcert: 'other-ca.crt' }, '127.0.0.1', 'refused'],
    [{ sslmode: 'require', sslnegotiation: 'direct' }, '127.0.0.1', 'encrypted'],
    [{ sslmode: 'verify-ca', sslrootcert: 'ca.crt' }, '127.0.0.1', 'encrypted'],
    [{ sslmode: 'verify-ca', sslrootcert: 'other-ca.crt' }, '127.0.0.1', 'refused'],
    [{ sslmode: 'verify-full', sslrootcert: 'ca.crt' }, '127.0.0.1', 'refused'],
    [{ sslmode: 'verify-full', sslrootcert: 'ca.crt' }, 'localhost', 'encrypted'],
    [{ sslmode: 'verify-full', sslrootcert: 'other-ca.crt' }, 'localhost', 'refused'],
    [{ sslmode: 'verify-full' }, 'localhost', 'refused'],
    [{ sslmode: 'verify-full', sslrootcert: 'system' }, 'localhost', 'refused'],
  ])('%j to %s: %s', async (parameters, host, expected) => {
    expect(await connecting(withTls, parameters, host)).toBe(expected);
  });
});

describe('sslmode, against a server without TLS', () => {
  it.each([
    [{}, 'plain'],
    [{ sslmode: 'disable' }, 'plain'],
    [{ sslmode: 'prefer' }, 'plain'],
    [{ sslmode: 'require' }, 'refused'],
    [{ sslmode: 'verify-ca', sslrootcert: 'ca.crt' }, 'refused'],
    [{ sslmode: 'verify-full', sslrootcert: 'ca.crt' }, 'refused'],
  ])('%j: %s', async (parameters, expected) => {
    expect(await connecting(withoutTls, parameters)).toBe(expected);
  });
});

describe('the rest of TLS', () => {
  const clientUrl = (server: TestPostgres) =>
    changeUrl(server.url, {
      parameters: {
        sslmode: 'require',
        sslcert: fixture('client.crt'),
        sslkey: fixture('client.key'),
      },
    });

  it('shows the client certificate that the URL names', async () => {
    const database = withTls.database({ url: clientUrl(withTls) });
    const statement = {
      name: 'dn',
      text: 'SELECT ssl, client_dn FROM pg_stat_ssl WHERE pid = pg_backend_pid()',
    };
    expect(await database.query<Session>(statement, [], signal)).toEqual([
      { ssl: true, client_dn: '/CN=tls_client' },
    ]);
  });

  it('says at the start when a file that the URL names cannot be read', () => {
    const url = changeUrl(withTls.url, {
      parameters: { sslmode: 'verify-ca', sslrootcert: '/nowhere/ca.crt' },
    });
    expect(() => withTls.database({ url })).toThrow('/nowhere/ca.crt');
  });

  it('holds for listening and for migrating as well', async () => {
    const wrong = changeUrl(withTls.url, {
      parameters: { sslmode: 'verify-ca', sslrootcert: OTHER_CA },
    });
    const right = changeUrl(withTls.url, { parameters: { sslmode: 'verify-ca', sslrootcert: CA } });
    await expect(migrate(wrong, { log: () => {} })).rejects.toBeInstanceOf(StoreUnavailableError);
    expect((await migrate(right, { log: () => {} })).applied).toEqual([]);

    const messages: string[] = [];
    const states: boolean[] = [];
    for (const url of [wrong, right]) {
      const hints = createChangeHints({
        url,
        applicationName: 'latchkey-test-tls',
        log: (_level, message) => messages.push(message),
        random: () => 0,
      });
      hints.start({ onHint: () => {}, onState: (connected) => states.push(connected) });
      const count = messages.length + states.length;
      await until('listening or refused', () => messages.length + states.length > count);
      await hints.stop();
    }
    expect(messages).toEqual(['Not listening for changes.']);
    expect(states).toEqual([true]);
  });
});
