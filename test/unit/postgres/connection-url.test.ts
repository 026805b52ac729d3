import { describe, expect, it } from 'vitest';
import { parseConnectionUrl } from '../../../src/postgres/connection-url.ts';

function target(url: string) {
  const parsed = parseConnectionUrl(url);
  if (parsed.kind === 'invalid') throw new Error(parsed.problem);
  return parsed.target;
}

describe('a database URL is read as libpq reads it', () => {
  it.each([
    ['postgres://u:p@h:6543/d', { host: 'h', port: 6543, user: 'u', password: 'p', database: 'd' }],
    ['postgresql://u@h', { host: 'h', port: 5432, user: 'u', password: undefined, database: 'u' }],
    ['postgres://u:p%40%2F%3A%25@h/d', { password: 'p@/:%' }],
    ['postgres://u@[::1]:5433/d', { host: '::1', port: 5433 }],
    ['postgres://u@/d?host=/var/run/pg', { host: '/var/run/pg', database: 'd', tls: 'off' }],
    ['postgres:///d?host=/run&user=u&password=p', { host: '/run', user: 'u', password: 'p' }],
    ['postgres://u@%2Fvar%2Frun/d', { host: '/var/run', database: 'd' }],
    ['postgres://u:p@h/d%20e', { database: 'd e' }],
    [
      'postgres://u@h/d?connect_timeout=7&application_name=x',
      { connectTimeoutMs: 7000, applicationName: 'x' },
    ],
    ['postgres://u@h/d?target_session_attrs=read-write', { host: 'h' }],
  ])('%s', (url, expected) => {
    expect(target(url)).toMatchObject(expected);
  });
});

describe('sslmode has the meaning that libpq gives it', () => {
  it.each([
    ['', 'if_offered', undefined],
    ['sslmode=disable', 'off', undefined],
    ['sslmode=prefer', 'if_offered', undefined],
    ['sslmode=require', 'unverified', undefined],
    ['sslmode=require&sslrootcert=/ca.pem', 'verify_ca', '/ca.pem'],
    ['sslmode=verify-ca&sslrootcert=/ca.pem', 'verify_ca', '/ca.pem'],
    ['sslmode=verify-full', 'verify_full', 'system'],
    ['sslmode=verify-full&sslrootcert=/ca.pem', 'verify_full', '/ca.pem'],
    ['sslrootcert=system', 'verify_full', 'system'],
  ])('?%s', (query, tls, rootCertFile) => {
    expect(target(`postgres://u@h/d?${query}`)).toMatchObject({ tls, tlsFiles: { rootCertFile } });
  });
});

describe('a URL that cannot be used is refused, and the refusal does not repeat the password', () => {
  const password = 'hunter2-secret';
  it.each([
    [`mysql://u:${password}@h/d`, 'postgres://'],
    [`postgres://u:${password}@h1,h2/d`, 'several hosts'],
    [`postgres://u:${password}@/d?host=h1,h2`, 'several hosts'],
    [`postgres://:${password}@h/d`, 'no user'],
    [`postgres://u:${password}@h:70000/d`, 'URL'],
    [`postgres://u:${password}@h/d?port=x`, 'port'],
    [`postgres://u:${password}%@h/d`, '%25'],
    [`postgres://u:${password}/@h/d`, 'URL'],
    [`postgres://u:${password}#@h/d`, 'URL'],
    [`postgres://u:a?${password}@h/d`, 'URL'],
    [`postgres://u:${password}@h/d#x`, '%23'],
    [`postgres://u@h/d?pasword=${password}`, '"pasword"'],
    [`postgres://u@h/d?${password}=1`, 'a parameter'],
    [`postgres://u@h/d?password=${password}&password=x`, 'twice'],
    [`postgres://u:${password}@h/d?sslmode=allow`, 'allow'],
    [`postgres://u:${password}@h/d?sslmode=REQUIRE`, 'sslmode'],
    [`postgres://u:${password}@h/d?sslmode=verify-ca`, 'sslrootcert'],
    [`postgres://u:${password}@h/d?sslmode=require&sslrootcert=system`, 'verify-full'],
    [`postgres://u:${password}@h/d?sslmode=require&sslcert=/c`, 'belong together'],
    [`postgres://u:${password}@h/d?sslnegotiation=direct`, 'sslmode=require'],
    [`postgres://u:${password}@h/d?channel_binding=require`, 'channel_binding'],
    [`postgres://u:${password}@h/d?target_session_attrs=any`, 'standby'],
    [`postgres://u:${password}@h/d?connect_timeout=soon`, 'connect_timeout'],
    [password, 'postgres://'],
    ['', 'postgres://'],
  ])('%s', (url, hint) => {
    const parsed = parseConnectionUrl(url);
    expect(parsed).toMatchObject({ kind: 'invalid', problem: expect.stringContaining(hint) });
    expect(JSON.stringify(parsed)).not.toContain(password);
  });
});
