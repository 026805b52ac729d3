/**
 * A database URL as libpq reads it (PostgreSQL manual, "Connection URIs" and "Parameter Key Words"), as far as a
 * sidecar needs it. What is not understood is refused, never skipped: a setting that silently does nothing is worse
 * than an error. No error repeats a part of the URL that may hold the password.
 */
export interface ConnectionTarget {
  /** A name, an address, or the folder of a Unix socket (begins with a slash). */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string | undefined;
  readonly database: string;
  readonly tls: TlsMode;
  readonly tlsFiles: TlsFiles;
  /** Start TLS at once (`sslnegotiation=direct`, PostgreSQL 17) instead of asking first. */
  readonly tlsDirect: boolean;
  readonly applicationName: string | undefined;
  readonly connectTimeoutMs: number | undefined;
  /** Command-line options for the server (`options=-c…`). */
  readonly options: string | undefined;
}

/**
 * `off`: never. `if_offered`: encrypted when the server can, unverified. `unverified`: encrypted or nothing.
 * `verify_ca`: the certificate's chain is checked. `verify_full`: and the host's name as well.
 */
export type TlsMode = 'off' | 'if_offered' | 'unverified' | 'verify_ca' | 'verify_full';

export interface TlsFiles {
  /** `system`: the certificates that Node trusts. `undefined` where nothing is verified. */
  readonly rootCertFile: string | 'system' | undefined;
  readonly certFile: string | undefined;
  readonly keyFile: string | undefined;
}

export type ParsedConnectionUrl =
  | { readonly kind: 'ok'; readonly target: ConnectionTarget }
  | { readonly kind: 'invalid'; readonly problem: string };

const PORT_DEFAULT = 5432;

const KNOWN_PARAMETERS: ReadonlySet<string> = new Set([
  'application_name',
  'channel_binding',
  'connect_timeout',
  'dbname',
  'gssencmode',
  'host',
  'options',
  'password',
  'port',
  'sslcert',
  'sslkey',
  'sslmode',
  'sslnegotiation',
  'sslrootcert',
  'target_session_attrs',
  'user',
]);

/** Thrown inside this file only, to leave from any depth. */
class Refusal extends Error {}

export function parseConnectionUrl(text: string): ParsedConnectionUrl {
  try {
    return { kind: 'ok', target: readTarget(text.trim()) };
  } catch (error) {
    if (error instanceof Refusal) return { kind: 'invalid', problem: error.message };
    throw error;
  }
}

function readTarget(text: string): ConnectionTarget {
  const url = readUrl(text);
  const parameters = readParameters(url);
  const pathDatabase = decoded(url.pathname.slice(1), 'database name');
  const user = parameters.get('user') ?? decoded(url.username, 'user name');
  if (user === '')
    throw new Refusal('It names no user: write postgres://USER:PASSWORD@HOST/DATABASE.');
  const host = hostOf(
    parameters.get('host') ?? decoded(url.hostname, 'host').replace(/^\[(.*)\]$/, '$1'),
  );
  const password = parameters.get('password') ?? decoded(url.password, 'password');
  const tls = host.startsWith('/') ? 'off' : tlsMode(parameters);
  return {
    host,
    port: portOf(parameters.get('port') ?? url.port),
    user,
    password: password === '' ? undefined : password,
    database: parameters.get('dbname') ?? (pathDatabase === '' ? user : pathDatabase),
    tls,
    tlsFiles: tlsFiles(parameters, tls),
    tlsDirect: negotiatesDirectly(parameters, tls),
    applicationName: parameters.get('application_name'),
    connectTimeoutMs: connectTimeoutMs(parameters.get('connect_timeout')),
    options: parameters.get('options'),
  };
}

/** Stands in for the host of `postgres://user@/db?host=…`, which libpq allows and the URL class does not. */
const NO_HOST = 'no-host.invalid';

function readUrl(text: string): URL {
  if (!/^postgres(ql)?:\/\//.test(text)) {
    throw new Refusal('It does not begin with postgres:// or postgresql://.');
  }
  const authority = /^[a-z]+:\/\/([^/?#]*)/.exec(text)?.[1] ?? '';
  if (authority.slice(authority.lastIndexOf('@') + 1).includes(',')) {
    throw new Refusal(
      'It names several hosts, which is not supported: name one, or an address that follows the primary.',
    );
  }
  const withHost = text.replace(/^([a-z]+:\/\/(?:[^/?#]*@)?)(?=[/?#]|$)/, `$1${NO_HOST}`);
  const url = URL.canParse(withHost) ? new URL(withHost) : undefined;
  if (url === undefined) {
    throw new Refusal(
      'It is not a URL. Characters such as @ : / # % in the user name or the password must be percent-encoded.',
    );
  }
  if (url.hash !== '') throw new Refusal('It contains a "#", which must be written %23.');
  return url;
}

function readParameters(url: URL): ReadonlyMap<string, string> {
  const parameters = new Map<string, string>();
  for (const [name, value] of url.searchParams) {
    if (!KNOWN_PARAMETERS.has(name)) {
      // Only a name that looks like one is repeated: an unescaped "?" in a password would end up here.
      const shown = /^[a-z_]{1,30}$/.test(name) ? `"${name}"` : 'a parameter';
      throw new Refusal(`It has ${shown} that is not supported after the "?".`);
    }
    if (parameters.has(name)) throw new Refusal(`It says "${name}" twice.`);
    parameters.set(name, value);
  }
  if ((parameters.get('channel_binding') ?? 'disable') === 'require') {
    throw new Refusal('channel_binding=require is not supported: use sslmode=verify-full instead.');
  }
  if ((parameters.get('gssencmode') ?? 'disable') === 'require') {
    throw new Refusal('gssencmode=require is not supported.');
  }
  // A standby can neither LISTEN nor take a heartbeat, and shows revocations late: only the primary will do.
  if (!['primary', 'read-write'].includes(parameters.get('target_session_attrs') ?? 'primary')) {
    throw new Refusal('target_session_attrs must be read-write or primary: a standby will not do.');
  }
  return parameters;
}

function decoded(text: string, what: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new Refusal(`Its ${what} holds a "%" that begins no escape: write it %25.`);
  }
}

function hostOf(host: string): string {
  if (host.includes(',')) {
    throw new Refusal(
      'It names several hosts, which is not supported: name one, or an address that follows the primary.',
    );
  }
  return host === '' || host === NO_HOST ? 'localhost' : host;
}

function portOf(text: string): number {
  if (text === '') return PORT_DEFAULT;
  const port = Number(text);
  if (!/^[0-9]+$/.test(text) || port < 1 || port > 65_535) {
    throw new Refusal('Its port is not one number from 1 to 65535.');
  }
  return port;
}

/** libpq's words (manual, "SSL Support"): `require` does not verify, unless a root certificate is named. */
function tlsMode(parameters: ReadonlyMap<string, string>): TlsMode {
  const rootCert = parameters.get('sslrootcert');
  const mode = parameters.get('sslmode') ?? (rootCert === 'system' ? 'verify-full' : 'prefer');
  if (rootCert === 'system' && mode !== 'verify-full') {
    throw new Refusal('sslrootcert=system needs sslmode=verify-full.');
  }
  switch (mode) {
    case 'disable':
      return 'off';
    case 'prefer':
      return 'if_offered';
    case 'require':
      return rootCert === undefined ? 'unverified' : 'verify_ca';
    case 'verify-ca':
      if (rootCert === undefined) {
        throw new Refusal(
          'sslmode=verify-ca needs sslrootcert=FILE, the certificate to verify against.',
        );
      }
      return 'verify_ca';
    case 'verify-full':
      return 'verify_full';
    case 'allow':
      throw new Refusal('sslmode=allow is not supported: use prefer, or disable.');
    default:
      throw new Refusal('Its sslmode is none of disable, prefer, require, verify-ca, verify-full.');
  }
}

function tlsFiles(parameters: ReadonlyMap<string, string>, tls: TlsMode): TlsFiles {
  const certFile = parameters.get('sslcert');
  const keyFile = parameters.get('sslkey');
  if ((certFile === undefined) !== (keyFile === undefined)) {
    throw new Refusal('sslcert and sslkey belong together: it has only one of them.');
  }
  const verifies = tls === 'verify_ca' || tls === 'verify_full';
  const rootCertFile = verifies ? (parameters.get('sslrootcert') ?? 'system') : undefined;
  return { rootCertFile, certFile, keyFile };
}

function negotiatesDirectly(parameters: ReadonlyMap<string, string>, tls: TlsMode): boolean {
  const negotiation = parameters.get('sslnegotiation') ?? 'postgres';
  if (negotiation === 'postgres') return false;
  if (negotiation !== 'direct')
    throw new Refusal('Its sslnegotiation is neither postgres nor direct.');
  if (tls === 'off' || tls === 'if_offered') {
    throw new Refusal('sslnegotiation=direct needs sslmode=require or stricter.');
  }
  return true;
}

function connectTimeoutMs(text: string | undefined): number | undefined {
  if (text === undefined || text === '0') return undefined;
  if (!/^[0-9]{1,4}$/.test(text))
    throw new Refusal('Its connect_timeout is not a number of seconds.');
  return Number(text) * 1000;
}
