import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import type { ClientConfig } from 'pg';
import { type ConnectionTarget, parseConnectionUrl } from './connection-url.ts';

/** The URL cannot be used. Of the URL its message holds at most the name of a file. */
export class ConnectionUrlError extends Error {
  override readonly name = 'ConnectionUrlError';
}

export function connectionTarget(url: string): ConnectionTarget {
  const parsed = parseConnectionUrl(url);
  if (parsed.kind === 'ok') return parsed.target;
  throw new ConnectionUrlError(`The database URL cannot be used. ${parsed.problem}`);
}

export interface ClientSettings {
  readonly applicationName: string;
  readonly connectTimeoutMs: number;
  /** Ended by the server itself. `undefined` behind a pooler, which refuses settings at connection start. */
  readonly statementTimeoutMs: number | undefined;
}

/** Before the kernel's first probe on a silent connection; it then gives up after its own number of tries. */
const KEEPALIVE_IDLE_MS = 10_000;

/** Everything is said explicitly, so that no PG… variable of the environment decides in silence. */
export function clientConfig(target: ConnectionTarget, settings: ClientSettings): ClientConfig {
  return {
    host: target.host,
    port: target.port,
    user: target.user,
    password: target.password,
    database: target.database,
    ssl: false,
    sslnegotiation: target.tlsDirect ? 'direct' : 'postgres',
    application_name: target.applicationName ?? settings.applicationName,
    connectionTimeoutMillis: target.connectTimeoutMs ?? settings.connectTimeoutMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEPALIVE_IDLE_MS,
    ...(settings.statementTimeoutMs === undefined
      ? {}
      : { statement_timeout: settings.statementTimeoutMs }),
    ...(target.options === undefined ? {} : { options: target.options }),
  };
}

/**
 * TLS for one new connection. Files are read anew each time, so that renewed certificates need no restart. Under
 * `if_offered` the server is asked first, on a connection of its own that is closed again.
 */
export async function tlsForConnection(
  target: ConnectionTarget,
  timeoutMs: number,
): Promise<false | ConnectionOptions> {
  switch (target.tls) {
    case 'off':
      return false;
    case 'if_offered':
      return (await offersTls(target, timeoutMs)) ? tlsOptions(target) : false;
    case 'unverified':
    case 'verify_ca':
    case 'verify_full':
      return tlsOptions(target);
  }
}

/** Throws ConnectionUrlError when a file that the URL names cannot be read. */
export function tlsOptions(target: ConnectionTarget): ConnectionOptions {
  const { rootCertFile, certFile, keyFile } = target.tlsFiles;
  const verifies = target.tls === 'verify_ca' || target.tls === 'verify_full';
  return {
    rejectUnauthorized: verifies,
    // Answering nothing means that the name is fine: verify-ca asks who signed, not for whom.
    ...(target.tls === 'verify_ca' ? { checkServerIdentity: () => undefined } : {}),
    ...(rootCertFile === undefined || rootCertFile === 'system'
      ? {}
      : { ca: readNamed(rootCertFile) }),
    ...(certFile === undefined ? {} : { cert: readNamed(certFile) }),
    ...(keyFile === undefined ? {} : { key: readNamed(keyFile) }),
  };
}

function readNamed(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : 'unknown error';
    throw new ConnectionUrlError(
      `The file ${JSON.stringify(file)}, which the database URL names, cannot be read (${code}).`,
      { cause },
    );
  }
}

/** The eight bytes of an SSLRequest (manual, "Message Formats"): its length, then 1234 and 5679. */
const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]);

function offersTls(target: ConnectionTarget, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: target.host, port: target.port });
    socket.setTimeout(timeoutMs, () => socket.destroy(new Error('timeout while asking for TLS')));
    socket.once('connect', () => socket.write(SSL_REQUEST));
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('connection closed while asking for TLS')));
    socket.once('data', (answer) => {
      resolve(answer[0] === 0x53);
      socket.destroy();
    });
  });
}
