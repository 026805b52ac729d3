import type { z } from 'zod';
import {
  databaseUrl,
  duration,
  hostPort,
  listenAddress,
  name,
  oneOf,
  onOff,
  path,
  peppers,
  wholeNumber,
} from './values.ts';

/** One thing that can be set: by a flag, by a variable, or left to its default. */
export interface Setting<Value = unknown> {
  readonly variable: `LATCHKEY_${string}`;
  /** The long option without dashes; `undefined`: a variable only. */
  readonly flag: string | undefined;
  /** Also read from the file that `<variable>_FILE` names, and never shown. */
  readonly secret: boolean;
  /** An option that names the file of a secret. The secret itself is never one: arguments are readable by everybody. */
  readonly fileFlag: string | undefined;
  /** As it would be typed; `undefined`: nothing. */
  readonly fallback: string | undefined;
  readonly value: z.ZodType<Value, string>;
  /** What it is for, and why the default is what it is. */
  readonly about: string;
}

/** Where the embedded server keeps its data when `--embedded` names no folder. */
export const EMBEDDED_DIR_DEFAULT = '.latchkey/postgres';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const DAY = 24 * 60 * MINUTE;

const setting = <Value>(
  variable: Setting['variable'],
  value: z.ZodType<Value, string>,
  rest: { about: string; flag?: string; fallback?: string; secret?: true; fileFlag?: string },
): Setting<Value> => ({
  variable,
  value,
  flag: rest.flag,
  secret: rest.secret === true,
  fileFlag: rest.fileFlag,
  fallback: rest.fallback,
  about: rest.about,
});

export const SETTINGS = {
  role: setting('LATCHKEY_ROLE', oneOf('check', 'api', 'all'), {
    flag: 'role',
    fallback: 'check',
    about: 'What this process serves: `check` decides for Envoy, `api` manages, `all` does both.',
  }),
  databaseUrl: setting('LATCHKEY_DATABASE_URL', databaseUrl, {
    secret: true,
    fileFlag: 'databaseUrlFile',
    about: 'The Postgres to use: postgres://user:password@host:5432/name?sslmode=verify-full',
  }),
  databaseListenUrl: setting('LATCHKEY_DATABASE_LISTEN_URL', databaseUrl, {
    secret: true,
    about:
      'A direct address for LISTEN where the URL is a pooler’s. Without it, changes are seen by polling.',
  }),
  preparedStatements: setting('LATCHKEY_PREPARED_STATEMENTS', onOff, {
    fallback: 'on',
    about: '`off` behind a pooler that hands out connections by the transaction.',
  }),
  embeddedDir: setting('LATCHKEY_EMBEDDED_DIR', path, {
    flag: 'embedded',
    about:
      'A Postgres of latchkey’s own, with its data in this folder: for trying out, not for production.',
  }),
  policyFile: setting('LATCHKEY_POLICY', path, {
    flag: 'policy',
    about: 'The policy file (docs/policy.md). Read again when it changes.',
  }),
  checkListen: setting('LATCHKEY_CHECK_LISTEN', listenAddress, {
    flag: 'checkListen',
    fallback: '127.0.0.1:10001',
    about:
      'Where Envoy asks: `unix:/path` or `host:port`. A socket is faster and has file permissions.',
  }),
  tlsCertFile: setting('LATCHKEY_TLS_CERT_FILE', path, {
    about:
      'Certificate chain (PEM) for Envoy’s connection. Read again within seconds of a change, and on SIGHUP at once.',
  }),
  tlsKeyFile: setting('LATCHKEY_TLS_KEY_FILE', path, { about: 'Its private key (PEM).' }),
  tlsClientCaFile: setting('LATCHKEY_TLS_CLIENT_CA_FILE', path, {
    about: 'With it, a client must show a certificate of one of these authorities (mutual TLS).',
  }),
  adminListen: setting('LATCHKEY_ADMIN_LISTEN', hostPort, {
    flag: 'adminListen',
    fallback: '127.0.0.1:10003',
    about: 'Health and metrics. They tell no secrets, but need no credential either.',
  }),
  peppers: setting('LATCHKEY_PEPPERS', peppers, {
    secret: true,
    about:
      '`2:base64,1:base64`: keys that digests are stored under. The highest version is for new keys; keep the others while keys under them live.',
  }),
  replicaName: setting('LATCHKEY_REPLICA_NAME', name, {
    about: 'The name of this replica where replicas are listed. The default is the host’s name.',
  }),
  cacheCredentialsMax: setting('LATCHKEY_CACHE_CREDENTIALS_MAX', wholeNumber(100, 10_000_000), {
    fallback: '100000',
    about: 'Keys in memory, at some 600 bytes each. The least recently used one goes first.',
  }),
  cacheTtl: setting('LATCHKEY_CACHE_TTL', duration(SECOND, DAY), {
    fallback: '60s',
    about:
      'What is in use is read again after this, in the background: a safety net under the change log.',
  }),
  staleWindow: setting('LATCHKEY_STALE_WINDOW', duration(SECOND, DAY), {
    fallback: '10m',
    about: 'How long known keys go on working while Postgres is away; beyond it they get 503.',
  }),
  lookupsMax: setting('LATCHKEY_LOOKUPS_MAX', wholeNumber(1, 2), {
    fallback: '2',
    about:
      'Lookups in Postgres at once. The pool has two connections; `1` always leaves one to the change log.',
  }),
  lookupQueueMax: setting('LATCHKEY_LOOKUP_QUEUE_MAX', wholeNumber(1, 100_000), {
    fallback: '256',
    about: 'Requests with unknown keys that may wait for a lookup; beyond it 503.',
  }),
  lookupTimeout: setting('LATCHKEY_LOOKUP_TIMEOUT', duration(50, 5 * SECOND), {
    fallback: '1s',
    about:
      'A lookup is given up after this. Whoever waits for it is answered before Envoy’s own timeout in any case.',
  }),
  missRate: setting('LATCHKEY_MISSES_PER_SECOND', wholeNumber(1, 100_000), {
    fallback: '50',
    about: 'Lookups that one client address may cause per second in the long run.',
  }),
  missBurst: setting('LATCHKEY_MISSES_BURST', wholeNumber(1, 100_000), {
    fallback: '200',
    about: 'Lookups that one client address may cause at once.',
  }),
  limiterIdentities: setting('LATCHKEY_LIMITER_IDENTITIES_MAX', wholeNumber(1000, 100_000_000), {
    fallback: '1000000',
    about: 'Counters of keys, users and organizations in memory.',
  }),
  limiterAddresses: setting('LATCHKEY_LIMITER_ADDRESSES_MAX', wholeNumber(1000, 100_000_000), {
    fallback: '200000',
    about: 'Counters of client addresses in memory.',
  }),
  limiterFailures: setting('LATCHKEY_LIMITER_FAILURES_MAX', wholeNumber(1000, 100_000_000), {
    fallback: '100000',
    about: 'Counters of failed authentications in memory.',
  }),
  drainWait: setting('LATCHKEY_DRAIN_WAIT', duration(0, 10 * MINUTE), {
    fallback: '10s',
    about:
      'After SIGTERM, health says NOT_SERVING for so long before connections are asked to leave: longer than Envoy’s health check interval.',
  }),
  drainGrace: setting('LATCHKEY_DRAIN_GRACE', duration(0, 10 * MINUTE), {
    fallback: '5s',
    about: 'Then calls under way may finish for so long.',
  }),
  logLevel: setting('LATCHKEY_LOG_LEVEL', oneOf('debug', 'info', 'warn', 'error', 'silent'), {
    fallback: 'info',
    about: 'The least level that is logged. Denials are info, those for an outage warn.',
  }),
  denialLogRate: setting('LATCHKEY_DENIAL_LOG_RATE', wholeNumber(0, 100_000), {
    fallback: '20',
    about:
      'Denial lines per second and reason; those beyond are counted and told in one line. 0: only their number.',
  }),
} as const;

export type SettingName = keyof typeof SETTINGS;
export type SettingValues = {
  readonly [Name in SettingName]: (typeof SETTINGS)[Name] extends Setting<infer Value>
    ? Value | undefined
    : never;
};
