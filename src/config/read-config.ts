import { hostname } from 'node:os';
import type { ServeConfig, StoreConfig } from './serve-config.ts';
import { SETTINGS, type Setting, type SettingName, type SettingValues } from './settings.ts';
import {
  type Environment,
  type Flags,
  readSettings,
  type SettingsReading,
} from './settings-reading.ts';

export type { Environment, Flags };

export type ConfigReading<Config> =
  | {
      readonly kind: 'ok';
      readonly config: Config;
      /** What is in force, by variable, without secrets. */
      readonly summary: Summary;
      /** What will work, and probably not as it was meant. */
      readonly warnings: readonly string[];
    }
  | { readonly kind: 'invalid'; readonly problems: readonly string[] };

export type Summary = Readonly<Record<string, string>>;

/** What is wrong with the URL of a database, which is not for this folder to know. */
export type UrlProblem = (url: string) => string | undefined;

/** What `serve` needs. Every problem at once. */
export function readServeConfig(
  flags: Flags,
  environment: Environment,
  urlProblem: UrlProblem,
): ConfigReading<ServeConfig> {
  const reading = readSettings(flags, environment);
  const { problems, summary } = reading;
  const store = storeOf(reading);
  problems.push(...urlProblems(store, urlProblem));
  const values = complete(reading.values);
  const { policyFile } = reading.values;
  if (policyFile === undefined && !reading.failed.has('policyFile')) {
    problems.push('No policy is named. Use --policy FILE, or set LATCHKEY_POLICY.');
  }
  const tls = tlsOf(reading);
  if (sameAddress(reading.values)) {
    problems.push(
      'LATCHKEY_CHECK_LISTEN and LATCHKEY_ADMIN_LISTEN are the same address. Change one of the two.',
    );
  }
  if (
    problems.length > 0 ||
    store === undefined ||
    values === undefined ||
    policyFile === undefined
  ) {
    return { kind: 'invalid', problems };
  }
  const config = { ...values, store, policyFile, tls };
  return { kind: 'ok', config, summary, warnings: warningsOf(config) };
}

export interface CommandConfig {
  readonly store: StoreConfig;
  readonly policyFile: string | undefined;
  readonly peppers: ServeConfig['peppers'];
  readonly staleWindowMs: number;
}

/** What a command that works on the store needs. */
export function readCommandConfig(
  flags: Flags,
  environment: Environment,
): ConfigReading<CommandConfig> {
  // A command has options of its own that share a name with one of `serve`, such as a user's --role.
  const { databaseUrlFile, embedded, policy } = flags;
  const reading = readSettings({ databaseUrlFile, embedded, policy }, environment);
  const { problems, summary } = reading;
  const store = storeOf(reading);
  const values = complete(reading.values);
  if (problems.length > 0 || store === undefined || values === undefined) {
    return { kind: 'invalid', problems };
  }
  const { peppers, cache } = values;
  const { policyFile } = reading.values;
  const config = { store, policyFile, peppers, staleWindowMs: cache.staleWindowMs };
  return { kind: 'ok', config, summary, warnings: [] };
}

/** What says how to use a database behind a URL; an embedded one is used directly. */
const OF_A_URL = ['databaseListenUrl', 'preparedStatements'] as const satisfies SettingName[];

/** `undefined` where something is wrong, which `problems` tells. */
function storeOf({ values, failed, given, problems }: SettingsReading): StoreConfig | undefined {
  const { databaseUrl: url, databaseListenUrl: listenUrl, embeddedDir: dataDir } = values;
  if (failed.has('databaseUrl') || failed.has('embeddedDir')) return undefined;
  if (url !== undefined && dataDir !== undefined) {
    problems.push(
      'A database URL (LATCHKEY_DATABASE_URL, its _FILE or --database-url-file) and an embedded Postgres (--embedded or LATCHKEY_EMBEDDED_DIR) are both named. Keep one of the two.',
    );
    return undefined;
  }
  if (dataDir !== undefined) {
    const idle = OF_A_URL.filter((name) => given.has(name));
    for (const name of idle) problems.push(withoutUse(SETTINGS[name]));
    return idle.length === 0 ? { kind: 'embedded', dataDir } : undefined;
  }
  if (url === undefined) {
    problems.push(
      'No database is named. Set LATCHKEY_DATABASE_URL (or LATCHKEY_DATABASE_URL_FILE), or say --embedded to run a Postgres of its own, for trying out.',
    );
    return undefined;
  }
  return {
    kind: 'database',
    url,
    listenUrl,
    preparedStatements: values.preparedStatements ?? true,
  };
}

function withoutUse({ variable, secret }: Setting): string {
  const variables = secret ? `${variable} (or its _FILE)` : variable;
  return `${variables} is for a database behind a URL, and an embedded Postgres (--embedded or LATCHKEY_EMBEDDED_DIR) is named. Remove one of the two.`;
}

function urlProblems(store: StoreConfig | undefined, urlProblem: UrlProblem): string[] {
  if (store?.kind !== 'database') return [];
  const urls = { LATCHKEY_DATABASE_URL: store.url, LATCHKEY_DATABASE_LISTEN_URL: store.listenUrl };
  return Object.entries(urls).flatMap(([variable, url]) => {
    const problem = url === undefined ? undefined : urlProblem(url);
    return problem === undefined ? [] : [`${variable} cannot be used. ${problem}`];
  });
}

function tlsOf({ values, problems }: SettingsReading): ServeConfig['tls'] {
  const { tlsCertFile: certFile, tlsKeyFile: keyFile, tlsClientCaFile: clientCaFile } = values;
  if (certFile !== undefined && keyFile !== undefined) return { certFile, keyFile, clientCaFile };
  if (certFile !== undefined || keyFile !== undefined || clientCaFile !== undefined) {
    problems.push(
      'TLS needs both LATCHKEY_TLS_CERT_FILE and LATCHKEY_TLS_KEY_FILE. Set both, or none of the LATCHKEY_TLS_ variables.',
    );
  }
  return undefined;
}

function sameAddress({ checkListen, adminListen }: Partial<SettingValues>): boolean {
  if (checkListen?.kind !== 'tcp' || adminListen === undefined) return false;
  const { host, port } = adminListen;
  return checkListen.host === host && checkListen.port === port && port !== 0;
}

function warningsOf({ checkListen, tls }: ServeConfig): string[] {
  if (checkListen.kind === 'unix' || isLoopback(checkListen.host)) return [];
  if (tls?.clientCaFile !== undefined) return [];
  return [
    'The check address can be reached from other machines and asks for no client certificate: whoever reaches it can try keys, past the limits of Envoy. Use a Unix socket or 127.0.0.1, or set LATCHKEY_TLS_CERT_FILE, LATCHKEY_TLS_KEY_FILE and LATCHKEY_TLS_CLIENT_CA_FILE.',
  ];
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}

type Complete = Omit<ServeConfig, 'store' | 'policyFile' | 'tls'>;

/** The values with their shape; `undefined` if one of them failed, which has been told already. */
function complete(v: Partial<SettingValues>): Complete | undefined {
  const { role, checkListen, adminListen, cacheCredentialsMax, cacheTtl, staleWindow } = v;
  const { lookupsMax, lookupQueueMax, lookupTimeout, missRate, missBurst } = v;
  const { limiterIdentities, limiterAddresses, limiterFailures } = v;
  const { drainWait, drainGrace, logLevel, denialLogRate } = v;
  if (!role || !checkListen || !adminListen || !logLevel) return undefined;
  if (!cacheCredentialsMax || !cacheTtl || !staleWindow) return undefined;
  if (!lookupsMax || !lookupQueueMax || !lookupTimeout || !missRate || !missBurst) return undefined;
  if (!limiterIdentities || !limiterAddresses || !limiterFailures) return undefined;
  if (drainWait === undefined || drainGrace === undefined || denialLogRate === undefined) {
    return undefined;
  }
  return {
    ...{ role, checkListen, adminListen, peppers: v.peppers ?? [] },
    replicaName: v.replicaName ?? hostname(),
    cache: { credentialsMax: cacheCredentialsMax, ttlMs: cacheTtl, staleWindowMs: staleWindow },
    lookups: {
      loadsMax: lookupsMax,
      queueMax: lookupQueueMax,
      loadTimeoutMs: lookupTimeout,
      missesPerClient: { perSecond: missRate, burst: missBurst },
    },
    limits: { identity: limiterIdentities, address: limiterAddresses, failure: limiterFailures },
    drain: { waitMs: drainWait, graceMs: drainGrace },
    log: { level: logLevel, denialsPerSecond: denialLogRate },
  };
}
