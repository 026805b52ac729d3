import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import type { DatabaseConfig, ServeConfig, StoreConfig } from './serve-config.ts';
import { SETTINGS, type Setting, type SettingName, type SettingValues } from './settings.ts';

/** Options as they were typed: camel case, `true` for one without a value. */
export type Flags = Readonly<Record<string, string | boolean | undefined>>;
export type Environment = Readonly<Record<string, string | undefined>>;

export type ConfigReading<Config> =
  | { readonly kind: 'ok'; readonly config: Config; readonly summary: Summary }
  | { readonly kind: 'invalid'; readonly problems: readonly string[] };

/** What is in force, without secrets. */
export type Summary = Readonly<Record<string, string>>;

/** Where the embedded server keeps its data when `--embedded` names no folder. */
export const EMBEDDED_DIR_DEFAULT = '.latchkey/postgres';

/** What `serve` needs. Every problem at once. */
export function readServeConfig(
  flags: Flags,
  environment: Environment,
): ConfigReading<ServeConfig> {
  const reading = readSettings(flags, environment);
  const { problems } = reading;
  const store = storeOf(reading.values, problems);
  const values = complete(reading.values);
  const { policyFile } = reading.values;
  if (policyFile === undefined && !reading.failed.has('policyFile')) {
    problems.push('No policy is named. Use --policy FILE, or set LATCHKEY_POLICY.');
  }
  const tls = tlsOf(reading.values, problems);
  if (
    problems.length > 0 ||
    store === undefined ||
    values === undefined ||
    policyFile === undefined
  ) {
    return { kind: 'invalid', problems };
  }
  return { kind: 'ok', config: { ...values, store, policyFile, tls }, summary: reading.summary };
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
  const store = storeOf(reading.values, reading.problems);
  const values = complete(reading.values);
  if (reading.problems.length > 0 || store === undefined || values === undefined) {
    return { kind: 'invalid', problems: reading.problems };
  }
  const { peppers, cache } = values;
  const { policyFile } = reading.values;
  const config = { store, policyFile, peppers, staleWindowMs: cache.staleWindowMs };
  return { kind: 'ok', config, summary: reading.summary };
}

interface SettingsReading {
  readonly values: Partial<SettingValues>;
  readonly failed: ReadonlySet<SettingName>;
  readonly summary: Record<string, string>;
  readonly problems: string[];
}

function readSettings(flags: Flags, environment: Environment): SettingsReading {
  const problems = unknownVariables(environment);
  const summary: Record<string, string> = {};
  const failed = new Set<SettingName>();
  const values: Record<string, unknown> = {};
  for (const [name, setting] of settingEntries()) {
    const source = sourceOf(setting, { flags, environment }, problems);
    if (source === undefined) continue;
    const parsed = setting.value.safeParse(source.text);
    if (parsed.success) {
      values[name] = parsed.data;
      summary[setting.variable] = setting.secret ? '(set)' : source.text;
    } else {
      failed.add(name);
      const shown = setting.secret ? '' : ` ${JSON.stringify(source.text)}`;
      problems.push(
        `${source.from}${shown}: ${parsed.error.issues[0]?.message ?? 'is not valid'}.`,
      );
    }
  }
  // Each value was parsed by the schema of its own name.
  return { values: values as Partial<SettingValues>, failed, summary, problems };
}

function settingEntries(): [SettingName, Setting][] {
  // Object.entries widens the keys of a constant.
  return Object.entries(SETTINGS) as [SettingName, Setting][];
}

interface Sources {
  readonly flags: Flags;
  readonly environment: Environment;
}

/** A flag, else the variable, else the file that it names, else the default. */
function sourceOf(
  { variable, flag, secret, fallback }: Setting,
  { flags, environment }: Sources,
  problems: string[],
): { readonly text: string; readonly from: string } | undefined {
  const flagged = flag === undefined ? undefined : flags[flag];
  if (typeof flagged === 'string') return { text: flagged, from: `--${kebab(flag ?? '')}` };
  if (flagged === true) return { text: EMBEDDED_DIR_DEFAULT, from: `--${kebab(flag ?? '')}` };
  const direct = environment[variable];
  if (secret) {
    const fromFlag = flags[FILE_FLAGS.get(variable) ?? ''];
    const file = typeof fromFlag === 'string' ? fromFlag : environment[`${variable}_FILE`];
    if (file !== undefined) {
      if (direct !== undefined && typeof fromFlag !== 'string') {
        problems.push(`${variable} and ${variable}_FILE are both set. Keep one of the two.`);
        return undefined;
      }
      return readSecret(file, { variable, problems });
    }
  }
  if (direct !== undefined) return { text: direct, from: variable };
  return fallback === undefined ? undefined : { text: fallback, from: variable };
}

/** Secrets that have a flag for their file. The secret itself is never a flag: arguments are readable by everybody. */
const FILE_FLAGS: ReadonlyMap<string, string> = new Map([
  ['LATCHKEY_DATABASE_URL', 'databaseUrlFile'],
]);

function readSecret(
  file: string,
  { variable, problems }: { variable: string; problems: string[] },
): { readonly text: string; readonly from: string } | undefined {
  try {
    return { text: readFileSync(file, 'utf8').replace(/\r?\n$/, ''), from: `${variable}_FILE` };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
    problems.push(`The file ${JSON.stringify(file)} for ${variable} cannot be read (${code}).`);
    return undefined;
  }
}

/** A misspelled variable would otherwise leave a default in force that nobody wanted. */
function unknownVariables(environment: Environment): string[] {
  const known = new Set<string>();
  for (const [, { variable, secret }] of settingEntries()) {
    known.add(variable);
    if (secret) known.add(`${variable}_FILE`);
  }
  return Object.keys(environment)
    .filter((name) => name.startsWith('LATCHKEY_') && !known.has(name) && !isOurs(name))
    .sort()
    .map(
      (name) =>
        `${name} is not a variable of latchkey. \`latchkey serve --help\` and docs/configuration.md name those there are.`,
    );
}

/** Kubernetes sets such variables for a Service that is named latchkey; the tests use the last. */
function isOurs(name: string): boolean {
  return /^LATCHKEY_(SERVICE_|PORT(_|$))/.test(name) || name === 'LATCHKEY_TEST_FULL';
}

function storeOf(values: Partial<SettingValues>, problems: string[]): StoreConfig | undefined {
  const { databaseUrl, databaseListenUrl, embeddedDir, preparedStatements } = values;
  if (databaseUrl !== undefined && embeddedDir !== undefined) {
    problems.push('Both a database URL and an embedded Postgres are named. Keep one of the two.');
    return undefined;
  }
  if (embeddedDir !== undefined) return { kind: 'embedded', dataDir: embeddedDir };
  if (databaseUrl === undefined) {
    problems.push(
      'No database is named. Set LATCHKEY_DATABASE_URL (or LATCHKEY_DATABASE_URL_FILE), or say --embedded to run a Postgres of latchkey’s own for trying out.',
    );
    return undefined;
  }
  const database: DatabaseConfig = {
    kind: 'database',
    url: databaseUrl,
    listenUrl: databaseListenUrl,
    preparedStatements: preparedStatements ?? true,
  };
  return database;
}

function tlsOf(values: Partial<SettingValues>, problems: string[]): ServeConfig['tls'] {
  const { tlsCertFile: certFile, tlsKeyFile: keyFile, tlsClientCaFile: clientCaFile } = values;
  if (certFile !== undefined && keyFile !== undefined) return { certFile, keyFile, clientCaFile };
  if (certFile !== undefined || keyFile !== undefined || clientCaFile !== undefined) {
    problems.push('TLS needs both LATCHKEY_TLS_CERT_FILE and LATCHKEY_TLS_KEY_FILE.');
  }
  return undefined;
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

const kebab = (text: string): string =>
  text.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
