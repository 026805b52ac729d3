import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import {
  type Environment,
  type Flags,
  readCommandConfig,
  readServeConfig,
} from '../../../src/config/read-config.ts';

const URL_SECRET = 'canary-password';
const DATABASE_URL = `postgres://latchkey:${URL_SECRET}@db.internal:5432/latchkey?sslmode=verify-full`;
const PEPPER = Buffer.alloc(32, 7).toString('base64');
const BASE: Environment = {
  LATCHKEY_DATABASE_URL: DATABASE_URL,
  LATCHKEY_POLICY: '/etc/latchkey/policy.yaml',
};

const folder = mkdtempSync(join(tmpdir(), 'latchkey-config-'));
afterAll(() => rmSync(folder, { recursive: true }));

function fileOf(text: string | Uint8Array, name = 'secret'): string {
  const file = join(folder, `${name}-${Math.random().toString(36).slice(2)}`);
  writeFileSync(file, text);
  return file;
}

/** As if postgres/ understood them: one URL of these tests holds what it does not. */
const urlProblem = (url: string) =>
  url.includes('sslmode=perhaps') ? 'Its sslmode is no word of it.' : undefined;

function configOf(environment: Environment, flags: Flags = {}) {
  const reading = readServeConfig(flags, environment, urlProblem);
  if (reading.kind === 'invalid') throw new Error(reading.problems.join('\n'));
  return reading;
}

function problemsOf(environment: Environment, flags: Flags = {}): readonly string[] {
  const reading = readServeConfig(flags, environment, urlProblem);
  return reading.kind === 'invalid' ? reading.problems : [];
}

describe('the configuration of serve', () => {
  it('needs a database and a policy, and has a default for everything else', () => {
    expect(configOf(BASE).config).toEqual({
      role: 'check',
      store: {
        kind: 'database',
        url: DATABASE_URL,
        listenUrl: undefined,
        preparedStatements: true,
      },
      policyFile: '/etc/latchkey/policy.yaml',
      checkListen: { kind: 'tcp', host: '127.0.0.1', port: 10_001 },
      tls: undefined,
      adminListen: { host: '127.0.0.1', port: 10_003 },
      peppers: [],
      replicaName: hostname(),
      cache: { credentialsMax: 100_000, ttlMs: 60_000, staleWindowMs: 600_000 },
      lookups: {
        loadsMax: 2,
        queueMax: 256,
        loadTimeoutMs: 1000,
        missesPerClient: { perSecond: 50, burst: 200 },
      },
      limits: { identity: 1_000_000, address: 200_000, failure: 100_000 },
      drain: { waitMs: 10_000, graceMs: 5000 },
      log: { level: 'info', denialsPerSecond: 20 },
    });
  });

  it('takes every setting from its variable', () => {
    const { config } = configOf({
      ...BASE,
      LATCHKEY_ROLE: 'all',
      LATCHKEY_DATABASE_LISTEN_URL: 'postgresql://direct/latchkey',
      LATCHKEY_PREPARED_STATEMENTS: 'off',
      LATCHKEY_CHECK_LISTEN: 'unix:/run/latchkey.sock',
      LATCHKEY_TLS_CERT_FILE: '/tls/cert.pem',
      LATCHKEY_TLS_KEY_FILE: '/tls/key.pem',
      LATCHKEY_TLS_CLIENT_CA_FILE: '/tls/ca.pem',
      LATCHKEY_ADMIN_LISTEN: '[::]:9000',
      LATCHKEY_PEPPERS: `2:${PEPPER}, 1:${PEPPER}`,
      LATCHKEY_REPLICA_NAME: 'pod-7',
      LATCHKEY_CACHE_CREDENTIALS_MAX: '5000',
      LATCHKEY_CACHE_TTL: '2m',
      LATCHKEY_STALE_WINDOW: '1h',
      LATCHKEY_LOOKUPS_MAX: '1',
      LATCHKEY_LOOKUP_QUEUE_MAX: '10',
      LATCHKEY_LOOKUP_TIMEOUT: '250ms',
      LATCHKEY_MISSES_PER_SECOND: '1',
      LATCHKEY_MISSES_BURST: '2',
      LATCHKEY_LIMITER_IDENTITIES_MAX: '1000',
      LATCHKEY_LIMITER_ADDRESSES_MAX: '2000',
      LATCHKEY_LIMITER_FAILURES_MAX: '3000',
      LATCHKEY_DRAIN_WAIT: '0s',
      LATCHKEY_DRAIN_GRACE: '1s',
      LATCHKEY_LOG_LEVEL: 'silent',
      LATCHKEY_DENIAL_LOG_RATE: '0',
    });

    expect(config).toEqual({
      role: 'all',
      store: {
        kind: 'database',
        url: DATABASE_URL,
        listenUrl: 'postgresql://direct/latchkey',
        preparedStatements: false,
      },
      policyFile: '/etc/latchkey/policy.yaml',
      checkListen: { kind: 'unix', path: '/run/latchkey.sock' },
      tls: { certFile: '/tls/cert.pem', keyFile: '/tls/key.pem', clientCaFile: '/tls/ca.pem' },
      adminListen: { host: '::', port: 9000 },
      peppers: [
        { version: 2, key: Buffer.alloc(32, 7) },
        { version: 1, key: Buffer.alloc(32, 7) },
      ],
      replicaName: 'pod-7',
      cache: { credentialsMax: 5000, ttlMs: 120_000, staleWindowMs: 3_600_000 },
      lookups: {
        loadsMax: 1,
        queueMax: 10,
        loadTimeoutMs: 250,
        missesPerClient: { perSecond: 1, burst: 2 },
      },
      limits: { identity: 1000, address: 2000, failure: 3000 },
      drain: { waitMs: 0, graceMs: 1000 },
      log: { level: 'silent', denialsPerSecond: 0 },
    });
  });

  it('takes an option before its variable', () => {
    const { config } = configOf(
      { ...BASE, LATCHKEY_ROLE: 'api', LATCHKEY_CHECK_LISTEN: '0.0.0.0:1' },
      {
        role: 'check',
        checkListen: 'unix:/a',
        adminListen: '127.0.0.1:1',
        policy: 'mine.yaml',
        embedded: undefined,
      },
    );
    expect(config).toMatchObject({
      role: 'check',
      checkListen: { kind: 'unix', path: '/a' },
      adminListen: { port: 1 },
      policyFile: 'mine.yaml',
    });
  });
});

describe('the store', () => {
  const { LATCHKEY_DATABASE_URL: _, ...NO_DATABASE } = BASE;

  it('that nobody named is an error that says which to set', () => {
    expect(problemsOf(NO_DATABASE)).toEqual([
      'No database is named. Set LATCHKEY_DATABASE_URL (or LATCHKEY_DATABASE_URL_FILE), or say --embedded to run a Postgres of its own, for trying out.',
    ]);
  });

  it.each([
    [{ embedded: true }, {}, '.latchkey/postgres'],
    [{ embedded: '/data/pg' }, {}, '/data/pg'],
    [{}, { LATCHKEY_EMBEDDED_DIR: '/data/env' }, '/data/env'],
    [{ embedded: '/data/pg' }, { LATCHKEY_EMBEDDED_DIR: '/data/env' }, '/data/pg'],
  ])('can be embedded: %j %j', (flags, environment, dataDir) => {
    const { config } = configOf({ ...NO_DATABASE, ...environment }, flags);
    expect(config.store).toEqual({ kind: 'embedded', dataDir });
  });

  it('with URLs that cannot be used is told with everything else', () => {
    const url = `postgres://latchkey:${URL_SECRET}@db.internal/latchkey?sslmode=perhaps`;
    const wrong = { LATCHKEY_DATABASE_URL: url, LATCHKEY_DATABASE_LISTEN_URL: url };
    expect(problemsOf({ ...BASE, ...wrong, LATCHKEY_ROLE: 'king' })).toEqual([
      expect.stringMatching(/^LATCHKEY_ROLE is "king"/),
      'LATCHKEY_DATABASE_URL cannot be used. Its sslmode is no word of it.',
      'LATCHKEY_DATABASE_LISTEN_URL cannot be used. Its sslmode is no word of it.',
    ]);
  });

  it.each([
    [
      { LATCHKEY_DATABASE_LISTEN_URL: 'postgres://h/d' },
      /^LATCHKEY_DATABASE_LISTEN_URL \(or its _FILE\) /,
    ],
    [
      { LATCHKEY_PREPARED_STATEMENTS: 'off' },
      /^LATCHKEY_PREPARED_STATEMENTS is for a database behind a URL/,
    ],
  ])('that is embedded is not told how to use a URL: %j', (variables, text) => {
    const environment = { ...NO_DATABASE, ...variables };
    for (const problems of [
      problemsOf(environment, { embedded: true }),
      problemsOf({ ...environment, LATCHKEY_EMBEDDED_DIR: '/data' }),
    ]) {
      expect(problems).toEqual([expect.stringMatching(text)]);
      expect(problems[0]).toMatch(/ is named\. Remove one of the two\.$/);
    }
    const command = readCommandConfig({ embedded: true }, environment);
    expect(command).toMatchObject({ kind: 'invalid', problems: [expect.stringMatching(text)] });
  });

  it('that is embedded leaves defaults alone', () => {
    expect(problemsOf(NO_DATABASE, { embedded: true })).toEqual([]);
  });

  it('must not be both', () => {
    expect(problemsOf(BASE, { embedded: true })).toEqual([
      expect.stringMatching(/are both named\. Keep one of the two\.$/),
    ]);
  });
});

describe('a secret', () => {
  const { LATCHKEY_DATABASE_URL: _, ...NO_DATABASE } = BASE;
  const urlOf = (environment: Environment, flags: Flags = {}) => {
    const { store } = configOf({ ...NO_DATABASE, ...environment }, flags).config;
    return store.kind === 'database' ? store.url : undefined;
  };

  it.each(['', '\n', '\r\n'])('can come from a file that ends in %j', (end) => {
    const file = fileOf(DATABASE_URL + end);
    expect(urlOf({ LATCHKEY_DATABASE_URL_FILE: file })).toBe(DATABASE_URL);
    expect(urlOf({}, { databaseUrlFile: file })).toBe(DATABASE_URL);
    const peppers = fileOf(`1:${PEPPER}${end}`);
    expect(configOf({ ...BASE, LATCHKEY_PEPPERS_FILE: peppers }).config.peppers).toHaveLength(1);
  });

  it('that is there twice is refused', () => {
    const file = fileOf(DATABASE_URL);
    expect(problemsOf({ ...BASE, LATCHKEY_DATABASE_URL_FILE: file })).toEqual([
      'LATCHKEY_DATABASE_URL and LATCHKEY_DATABASE_URL_FILE are both set. Keep one of the two.',
    ]);
  });

  it.each([
    ['missing', () => join(folder, 'nothing'), /which cannot be read \(ENOENT\)\.$/],
    ['a folder', () => folder, /which is no regular file\.$/],
    ['endless', () => '/dev/zero', /which is no regular file\.$/],
    ['too long', () => fileOf('x'.repeat(100_000)), /which has more than 65536 bytes\.$/],
  ])('whose file is %s is refused, and nothing else is said of it', (_title, file, text) => {
    const problems = problemsOf({ ...NO_DATABASE, LATCHKEY_DATABASE_URL_FILE: file() });
    expect(problems).toEqual([expect.stringMatching(text)]);
    expect(problems[0]).toMatch(/^LATCHKEY_DATABASE_URL_FILE names "/);
  });

  it('whose file is empty is refused', () => {
    expect(problemsOf({ ...NO_DATABASE, LATCHKEY_DATABASE_URL_FILE: fileOf('\n') })).toEqual([
      'the file of LATCHKEY_DATABASE_URL_FILE is empty. Give it a value, or leave it out.',
    ]);
  });

  it('appears in no summary, problem or warning, right or wrong', () => {
    const wrong = [
      { LATCHKEY_DATABASE_URL: `mysql://u:${URL_SECRET}@h/d` },
      { LATCHKEY_DATABASE_URL: `postgres://u:${URL_SECRET}@h/d\n` },
      { LATCHKEY_DATABASE_URL: `host=h password=${URL_SECRET}` },
      { LATCHKEY_DATABASE_URL: undefined, LATCHKEY_DATABASE_URL_FILE: fileOf(`x ${URL_SECRET}`) },
      { LATCHKEY_DATABASE_LISTEN_URL: URL_SECRET },
      { LATCHKEY_PEPPERS: `1:${URL_SECRET}` },
      { LATCHKEY_PEPPERS: URL_SECRET },
      { LATCHKEY_PEPPERS: `1:${Buffer.from(URL_SECRET).toString('base64')}` },
    ];
    for (const environment of wrong) {
      const problems = problemsOf({ ...BASE, ...environment });
      expect(problems.length, JSON.stringify(environment)).toBeGreaterThan(0);
      const text = problems.join('\n');
      expect(text).not.toContain(URL_SECRET);
      expect(text).not.toContain(Buffer.from(URL_SECRET).toString('base64'));
    }
    const { summary, warnings } = configOf({ ...BASE, LATCHKEY_PEPPERS: `1:${PEPPER}` });
    expect(summary['LATCHKEY_DATABASE_URL']).toBe('(set)');
    expect(summary['LATCHKEY_PEPPERS']).toBe('(set)');
    expect(inspect({ summary, warnings }, { depth: 9 })).not.toMatch(/canary|BwcHBw/);
  });
});

describe('a wrong value', () => {
  it.each([
    ['LATCHKEY_ROLE', 'Check', 'must be check, api or all'],
    ['LATCHKEY_LOG_LEVEL', 'trace', 'must be debug, info, warn, error or silent'],
    ['LATCHKEY_PREPARED_STATEMENTS', 'true', 'must be on or off'],
    ['LATCHKEY_CHECK_LISTEN', 'localhost', 'must be unix:/path or host:port'],
    ['LATCHKEY_CHECK_LISTEN', '10001', 'must be unix:/path or host:port'],
    ['LATCHKEY_CHECK_LISTEN', '127.0.0.1:99999', 'must be unix:/path or host:port'],
    ['LATCHKEY_CHECK_LISTEN', '::1:10001', 'must be unix:/path or host:port'],
    ['LATCHKEY_CHECK_LISTEN', 'http://h:1', 'must be unix:/path or host:port'],
    ['LATCHKEY_CHECK_LISTEN', 'unix:run.sock', 'must name the socket by its absolute path'],
    ['LATCHKEY_CHECK_LISTEN', `unix:/${'x'.repeat(107)}`, 'must have a path of 107 bytes at most'],
    ['LATCHKEY_ADMIN_LISTEN', 'unix:/run/a.sock', 'must be host:port'],
    ['LATCHKEY_ADMIN_LISTEN', ':10003', 'must be host:port'],
    ['LATCHKEY_REPLICA_NAME', 'a b', 'must be 1 to 200 printable ASCII characters'],
    ['LATCHKEY_REPLICA_NAME', 'a\u009b2J', 'must be 1 to 200 printable ASCII characters'],
    ['LATCHKEY_CACHE_TTL', '60', 'must be a time such as 250ms, 30s, 10m or 1h'],
    ['LATCHKEY_CACHE_TTL', '1.5s', 'must be a time such as 250ms, 30s, 10m or 1h'],
    ['LATCHKEY_CACHE_TTL', '-1s', 'must be a time such as 250ms, 30s, 10m or 1h'],
    ['LATCHKEY_CACHE_TTL', '999ms', 'must be from 1s to 24h'],
    ['LATCHKEY_STALE_WINDOW', '999999999h', 'must be from 1s to 24h'],
    ['LATCHKEY_LOOKUPS_MAX', '3', 'must be a whole number from 1 to 2'],
    ['LATCHKEY_LOOKUPS_MAX', '0', 'must be a whole number from 1 to 2'],
    ['LATCHKEY_LOOKUPS_MAX', '1e1', 'must be a whole number from 1 to 2'],
    ['LATCHKEY_LOOKUPS_MAX', ' 5', 'must be a whole number from 1 to 2'],
    ['LATCHKEY_LOOKUPS_MAX', '5,0', 'must be a whole number from 1 to 2'],
  ])('%s=%s is told with what it must be', (variable, text, rule) => {
    const problems = problemsOf({ ...BASE, [variable]: text });
    expect(problems).toEqual([expect.stringContaining(rule)]);
    expect(problems[0]).toContain(`${variable} is ${JSON.stringify(text)}: it `);
  });

  it.each([
    ['0:', 'with versions from 1 to 32767'],
    [`0:${PEPPER}`, 'with versions from 1 to 32767'],
    [`40000:${PEPPER}`, 'with versions from 1 to 32767'],
    [PEPPER, 'with versions from 1 to 32767'],
    [`1:${PEPPER},`, 'with versions from 1 to 32767'],
    [`1:${PEPPER},1:${PEPPER}`, 'has version 1 twice'],
    [
      `1:${Buffer.alloc(31).toString('base64')}`,
      'with fewer than 32 bytes; make one with: openssl',
    ],
    [`1:${PEPPER.slice(0, -1)}`, 'that is no base64'],
    [`1:${PEPPER.replace('B', '!')}`, 'that is no base64'],
    [`1:${Buffer.alloc(33, 0xff).toString('base64url')}`, 'that is no base64'],
  ])('LATCHKEY_PEPPERS=%s is told without being shown', (text, rule) => {
    expect(problemsOf({ ...BASE, LATCHKEY_PEPPERS: text })).toEqual([
      expect.stringContaining(rule),
    ]);
  });

  it('is told once, not also as one that is missing', () => {
    expect(problemsOf({ ...BASE, LATCHKEY_POLICY: '' })).toHaveLength(1);
    expect(problemsOf({ ...BASE, LATCHKEY_DATABASE_URL: 'x' })).toHaveLength(1);
  });

  it('of an option is told under the name of the option', () => {
    expect(problemsOf(BASE, { checkListen: 'nowhere' })).toEqual([
      '--check-listen is "nowhere": it must be unix:/path or host:port, for example 127.0.0.1:10001.',
    ]);
  });

  it('that is empty is told as such: half a manifest is no wish for the default', () => {
    expect(problemsOf({ ...BASE, LATCHKEY_ROLE: '', LATCHKEY_PEPPERS: '' })).toEqual([
      'LATCHKEY_ROLE is empty. Give it a value, or leave it out.',
      'LATCHKEY_PEPPERS is empty. Give it a value, or leave it out.',
    ]);
  });

  it('is told together with every other', () => {
    const problems = problemsOf(
      {
        LATCHKEY_ROLE: 'x',
        LATCHKEY_CACHE_TTL: 'x',
        LATCHKEY_TLS_KEY_FILE: '/k',
        LATCHKEY_CASHE_TTL: '1s',
      },
      { adminListen: 'x' },
    );
    expect(problems.map((problem) => problem.split(' ', 1)[0]).toSorted()).toEqual([
      '--admin-listen',
      'LATCHKEY_CACHE_TTL',
      'LATCHKEY_CASHE_TTL',
      'LATCHKEY_ROLE',
      'No',
      'No',
      'TLS',
    ]);
  });
});

describe('values that do not fit together', () => {
  it.each([
    { LATCHKEY_TLS_CERT_FILE: '/c' },
    { LATCHKEY_TLS_KEY_FILE: '/k' },
    { LATCHKEY_TLS_CLIENT_CA_FILE: '/a' },
    { LATCHKEY_TLS_CERT_FILE: '/c', LATCHKEY_TLS_CLIENT_CA_FILE: '/a' },
  ])('half of TLS is refused: %j', (environment) => {
    expect(problemsOf({ ...BASE, ...environment })).toEqual([
      expect.stringMatching(/^TLS needs both/),
    ]);
  });

  it('one address for two servers is refused', () => {
    const same = { LATCHKEY_CHECK_LISTEN: '[::1]:9', LATCHKEY_ADMIN_LISTEN: '[::1]:9' };
    expect(problemsOf({ ...BASE, ...same })).toEqual([expect.stringMatching(/the same address/)]);
    const hosts = { LATCHKEY_CHECK_LISTEN: '[::1]:9', LATCHKEY_ADMIN_LISTEN: '127.0.0.1:9' };
    expect(problemsOf({ ...BASE, ...hosts })).toEqual([]);
    const any = { LATCHKEY_CHECK_LISTEN: '[::1]:0', LATCHKEY_ADMIN_LISTEN: '[::1]:0' };
    expect(problemsOf({ ...BASE, ...any })).toEqual([]);
  });

  it.each([
    ['127.0.0.1:1', {}, 0],
    ['127.9.9.9:1', {}, 0],
    ['[::1]:1', {}, 0],
    ['localhost:1', {}, 0],
    ['unix:/s', {}, 0],
    ['0.0.0.0:1', {}, 1],
    ['10.0.0.1:1', {}, 1],
    ['127.example.com:1', {}, 1],
    ['0.0.0.0:1', { LATCHKEY_TLS_CERT_FILE: '/c', LATCHKEY_TLS_KEY_FILE: '/k' }, 1],
    [
      '0.0.0.0:1',
      {
        LATCHKEY_TLS_CERT_FILE: '/c',
        LATCHKEY_TLS_KEY_FILE: '/k',
        LATCHKEY_TLS_CLIENT_CA_FILE: '/a',
      },
      0,
    ],
  ])('a check address that strangers reach is worth a warning: %s %j', (address, tls, count) => {
    const { warnings } = configOf({ ...BASE, ...tls, LATCHKEY_CHECK_LISTEN: address });
    expect(warnings).toHaveLength(count);
  });
});

describe('an unknown variable', () => {
  it.each([
    ['LATCHKEY_DATABASEURL', 'Did you mean LATCHKEY_DATABASE_URL?'],
    ['LATCHKEY_PEPPER', 'Did you mean LATCHKEY_PEPPERS?'],
    ['LATCHKEY_POLICY_FILE', 'Only secrets are read from files: set LATCHKEY_POLICY itself.'],
    ['LATCHKEY_ADMIN_PORT', 'docs/configuration.md names those there are.'],
    ['LATCHKEY_SOMETHING_ELSE', 'docs/configuration.md names those there are.'],
    [`LATCHKEY_${'X'.repeat(100_000)}`, 'docs/configuration.md names those there are.'],
    ['LATCHKEY_', 'docs/configuration.md names those there are.'],
  ])('%s is refused, with what may have been meant', (name, advice) => {
    const problems = problemsOf({ ...BASE, [name]: '1' });
    expect(problems).toEqual([expect.stringContaining(advice)]);
    expect(problems[0]?.startsWith(`${name} is no variable of latchkey.`)).toBe(true);
  });

  it('is none of latchkey when it belongs to another program', () => {
    expect(problemsOf({ ...BASE, LATCHKEYS: '1', latchkey_role: 'x', PATH: '/bin' })).toEqual([]);
  });

  it('that Kubernetes sets for a Service named latchkey keeps nobody from starting', () => {
    const services = ['LATCHKEY', 'LATCHKEY_API', 'LATCHKEY_CHECK_TEAM_2'];
    for (const service of services) {
      const environment = {
        [`${service}_SERVICE_HOST`]: '10.0.0.1',
        [`${service}_SERVICE_PORT`]: '10002',
        [`${service}_SERVICE_PORT_HTTP_METRICS`]: '10003',
        [`${service}_PORT`]: 'tcp://10.0.0.1:10002',
        [`${service}_PORT_10002_TCP`]: 'tcp://10.0.0.1:10002',
        [`${service}_PORT_10002_TCP_PROTO`]: 'tcp',
        [`${service}_PORT_10002_TCP_PORT`]: '10002',
        [`${service}_PORT_10002_TCP_ADDR`]: '10.0.0.1',
      };
      expect(problemsOf({ ...BASE, ...environment })).toEqual([]);
    }
  });
});

describe('the configuration of a command', () => {
  it('is the store, the peppers and, if there is one, the policy', () => {
    const { LATCHKEY_POLICY: _, ...environment } = BASE;
    const reading = readCommandConfig(
      // The role of a user, not that of the process.
      { role: 'org_admin' },
      { ...environment, LATCHKEY_PEPPERS: `1:${PEPPER}`, LATCHKEY_STALE_WINDOW: '30s' },
    );
    expect(reading).toMatchObject({
      kind: 'ok',
      config: {
        store: { kind: 'database', url: DATABASE_URL },
        policyFile: undefined,
        peppers: [{ version: 1 }],
        staleWindowMs: 30_000,
      },
    });
  });

  it('has the same problems', () => {
    expect(readCommandConfig({}, { LATCHKEY_ROLE: 'x' })).toEqual({
      kind: 'invalid',
      problems: [
        'LATCHKEY_ROLE is "x": it must be check, api or all.',
        expect.stringMatching(/^No database is named/),
      ],
    });
  });
});
