import { cp, mkdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ConnectionOptions, connect } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { TlsFiles } from '../../../src/grpc/tls.ts';
import type { ClientTls } from '../../support/check-client.ts';
import { rawConnection } from './raw-http2.ts';
import { ANSWER, startServer, type TestServer, temporaryFolder, until } from './start-server.ts';

const FIXTURES = fileURLToPath(new URL('../../fixtures/tls/', import.meta.url));
const REQUEST = Buffer.from('a request');
const REPLY = { kind: 'reply', bytes: new Uint8Array(ANSWER) };
/** Tests that wait for no reload set it out of reach. */
const NEVER_MS = 1_000_000;

const pem = (name: string): Promise<Buffer> => readFile(join(FIXTURES, name));

const clientOf = async (name?: 'client' | 'other-client', ca = 'ca'): Promise<ClientTls> => ({
  ca: await pem(`${ca}.crt`),
  ...(name && { cert: await pem(`${name}.crt`), key: await pem(`${name}.key`) }),
});

const files = (folder = FIXTURES, more: Partial<TlsFiles> = {}): TlsFiles => ({
  certFile: join(folder, 'server.crt'),
  keyFile: join(folder, 'server.key'),
  reloadIntervalMs: NEVER_MS,
  ...more,
});

const mutual = (folder = FIXTURES, more: Partial<TlsFiles> = {}): TlsFiles =>
  files(folder, { clientCaFile: join(folder, 'ca.crt'), ...more });

async function copyOfFixtures(): Promise<string> {
  const folder = await temporaryFolder();
  await cp(FIXTURES, folder, { recursive: true });
  return folder;
}

const shortly = { deadlineMs: 2_000 };

describe('a server with TLS', () => {
  it('serves a client that trusts its CA', async () => {
    const { client, events } = await startServer({ tls: files() });
    expect(await client({ tls: await clientOf() }).check(REQUEST)).toEqual(REPLY);
    expect(events).toMatchObject([{ kind: 'certificate_loaded' }]);
  });

  it('serves over a Unix socket too', async () => {
    const path = join(await temporaryFolder(), 'check.sock');
    const { client } = await startServer({ tls: files(), listen: { path } });
    expect(await client({ tls: await clientOf() }).check(REQUEST)).toEqual(REPLY);
  });

  it('refuses a client that speaks without TLS, and one that offers no HTTP/2', async () => {
    const { client, server, events } = await startServer({ tls: files() });
    expect(await client().check(REQUEST, shortly)).toMatchObject({ kind: 'failure' });
    expect(await handshake(server, { ca: await pem('ca.crt') })).not.toBe('TLSv1.3');
    await until('both are reported', () => handshakeFailures(events).length >= 2);
    expect(handshakeFailures(events)).toContain('no_h2_in_alpn');
    expect(server.connectionCount).toBe(0);
  });

  it('is not believed by a client that trusts another CA', async () => {
    const { client } = await startServer({ tls: files() });
    const tls = await clientOf(undefined, 'other-ca');
    expect(await client({ tls }).check(REQUEST, shortly)).toMatchObject({ kind: 'failure' });
  });

  it.each([
    ['TLSv1.1', /^refused/],
    ['TLSv1.2', /^TLSv1\.2$/],
    ['TLSv1.3', /^TLSv1\.3$/],
  ] as const)('answers a client that speaks %s alone with %s', async (version, expected) => {
    const { server } = await startServer({ tls: files() });
    const offer = {
      ca: await pem('ca.crt'),
      ALPNProtocols: ['h2'],
      minVersion: version,
      maxVersion: version,
      // OpenSSL lets go of TLS 1.1 only when told that security does not matter.
      ciphers: 'DEFAULT@SECLEVEL=0',
    };
    expect(await handshake(server, offer)).toMatch(expected);
  });

  it('does not wait for ever for a handshake', async () => {
    const { server, events } = await startServer({
      tls: files(),
      limits: { handshakeTimeoutMs: 100 },
    });
    await (await rawConnection(server.address)).closed;
    expect(handshakeFailures(events)).toEqual(['ERR_TLS_HANDSHAKE_TIMEOUT']);
  });

  it('drains at once although somebody is in the middle of a handshake', async () => {
    const { server } = await startServer({
      tls: files(),
      limits: { handshakeTimeoutMs: NEVER_MS },
    });
    const raw = await rawConnection(server.address);
    expect(await server.drain({ graceMs: 60_000 })).toEqual({ forcedConnections: 0 });
    await raw.closed;
  });
});

describe('a server with mutual TLS', () => {
  it('serves a client with a certificate of the client CA', async () => {
    const { client } = await startServer({ tls: mutual() });
    expect(await client({ tls: await clientOf('client') }).check(REQUEST)).toEqual(REPLY);
  });

  it.each([
    ['no certificate', undefined],
    ['a certificate of another CA', 'other-client'],
  ] as const)('refuses a client with %s before any call', async (_, name) => {
    let calls = 0;
    const { client, server, events } = await startServer({
      tls: mutual(),
      handler: () => {
        calls++;
        return ANSWER;
      },
    });
    const tls = await clientOf(name);
    expect(await client({ tls }).check(REQUEST, shortly)).toMatchObject({ kind: 'failure' });
    await until('it is reported', () => handshakeFailures(events).length > 0);
    expect(calls).toBe(0);
    expect(server.connectionCount).toBe(0);
  });
});

describe('certificates that change', () => {
  it('count for new connections at the next look, and leave open ones alone', async () => {
    const folder = await copyOfFixtures();
    const { client, server, events } = await startServer({
      tls: files(folder, { reloadIntervalMs: 20 }),
    });
    const before = client({ tls: await clientOf() });
    await before.check(REQUEST);
    expect(await subject(server)).toBe('latchkey test server');
    await renew(folder);
    await until('the new one is loaded', () => loads(events) === 2);
    expect(await subject(server)).toBe('latchkey test server, renewed');
    expect(await before.check(REQUEST)).toEqual(REPLY);
    await cp(FIXTURES, folder, { recursive: true });
    await until('the first one is loaded again', () => loads(events) === 3);
  });

  it('are found behind a symbolic link that is swapped, as Kubernetes does', async () => {
    const folder = await temporaryFolder();
    for (const [version, name] of [
      ['one', 'server'],
      ['two', 'server-next'],
    ] as const) {
      await mkdir(join(folder, version));
      await cp(join(FIXTURES, `${name}.crt`), join(folder, version, 'server.crt'));
      await cp(join(FIXTURES, `${name}.key`), join(folder, version, 'server.key'));
    }
    await symlink('one', join(folder, 'current'));
    const { server, events } = await startServer({
      tls: files(join(folder, 'current'), { reloadIntervalMs: 20 }),
    });
    await symlink('two', join(folder, 'next'));
    await rename(join(folder, 'next'), join(folder, 'current'));
    await until('the new one is loaded', () => loads(events) === 2);
    expect(await subject(server)).toBe('latchkey test server, renewed');
  });

  it.each([
    ['a certificate that is not PEM', 'server.crt', 'nonsense', /certificate .*server\.crt is not/],
    ['an empty certificate', 'server.crt', '', /certificate .*server\.crt is not/],
    ['a key that is not PEM', 'server.key', 'nonsense', /private key .*server\.key is not/],
    ['a key of another certificate', 'server.key', 'client.key', /server\.key does not fit/],
    ['a client CA that is not PEM', 'ca.crt', 'nonsense', /client CA .*ca\.crt is not/],
    ['a missing client CA', 'ca.crt', undefined, /cannot read the TLS client CA .*ca\.crt: ENOENT/],
  ] as const)(
    'to %s keep the old ones in use, and are reported once',
    async (_, name, content, message) => {
      const folder = await copyOfFixtures();
      const { client, server, events } = await startServer({ tls: mutual(folder) });
      await rm(join(folder, name));
      if (content === 'client.key') await cp(join(FIXTURES, content), join(folder, name));
      else if (content !== undefined) await writeFile(join(folder, name), content);
      await server.reloadCertificates();
      await server.reloadCertificates();
      expect(events.slice(1)).toEqual([
        { kind: 'certificate_rejected', message: expect.stringMatching(message) },
      ]);
      expect(await client({ tls: await clientOf('client') }).check(REQUEST)).toEqual(REPLY);
      // Mended: the way back is the way forward.
      await cp(FIXTURES, folder, { recursive: true });
      await renew(folder);
      await server.reloadCertificates();
      expect(await subject(server, 'client')).toBe('latchkey test server, renewed');
    },
  );

  it('to another client CA refuse the clients of the old one, a resumed session too', async () => {
    const folder = await copyOfFixtures();
    const { client, server } = await startServer({ tls: mutual(folder) });
    const old = await clientOf('client');
    const session = await tlsSession(server, old);
    await cp(join(FIXTURES, 'other-ca.crt'), join(folder, 'ca.crt'));
    await server.reloadCertificates();
    expect(await handshake(server, { ...old, session, ALPNProtocols: ['h2'] })).toMatch(/^refused/);
    expect(await client({ tls: old }).check(REQUEST, shortly)).toMatchObject({ kind: 'failure' });
    const tls = await clientOf('other-client');
    expect(await client({ tls }).check(REQUEST)).toEqual(REPLY);
  });

  it.each([
    ['certificate', 'server.crt'],
    ['private key', 'server.key'],
    ['client CA', 'ca.crt'],
  ])('must be readable at the start: a missing %s is named', async (what, name) => {
    const folder = await copyOfFixtures();
    await rm(join(folder, name));
    await expect(startServer({ tls: mutual(folder) })).rejects.toThrow(
      `cannot read the TLS ${what} ${join(folder, name)}: ENOENT`,
    );
  });
});

const renew = async (folder: string): Promise<void> => {
  await cp(join(FIXTURES, 'server-next.crt'), join(folder, 'server.crt'));
  await cp(join(FIXTURES, 'server-next.key'), join(folder, 'server.key'));
};

const loads = (events: TestServer['events']): number =>
  events.filter(({ kind }) => kind === 'certificate_loaded').length;

const handshakeFailures = (events: TestServer['events']): string[] =>
  events.flatMap((event) => (event.kind === 'handshake_failed' ? [event.code] : []));

function dial(server: TestServer['server'], options: ConnectionOptions) {
  if (!('port' in server.address)) throw new Error('a TCP port was asked for');
  return connect({ ...server.address, servername: 'localhost', ...options });
}

/**
 * The TLS version agreed on, or `refused` and why. In TLS 1.3 a server refuses a client's certificate only after the
 * client believes to be connected, so the first bytes of HTTP/2 are waited for.
 */
const handshake = (server: TestServer['server'], options: ConnectionOptions): Promise<string> =>
  new Promise((resolve) => {
    const socket = dial(server, options);
    socket.once('data', () => {
      resolve(String(socket.getProtocol()));
      socket.destroy();
    });
    socket.once('error', (error) => resolve(`refused: ${error.message}`));
    socket.once('close', () => resolve('refused: closed'));
  });

const subject = async (server: TestServer['server'], name?: 'client'): Promise<string> => {
  const socket = dial(server, { ...(await clientOf(name)), ALPNProtocols: ['h2'] });
  await new Promise((resolve, reject) => {
    socket.once('secureConnect', resolve);
    socket.once('error', reject);
  });
  const { subject: certificateSubject } = socket.getPeerCertificate();
  socket.destroy();
  return String(certificateSubject.CN);
};

const tlsSession = async (server: TestServer['server'], tls: ClientTls): Promise<Buffer> => {
  const socket = dial(server, { ...tls, ALPNProtocols: ['h2'] });
  const session = await new Promise<Buffer>((resolve) => socket.once('session', resolve));
  socket.destroy();
  return session;
};
