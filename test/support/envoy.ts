import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { type Document, isSeq, parseDocument } from 'yaml';
import { type EchoUpstream, startEchoUpstream } from '../../src/app/echo-upstream.ts';
import { type EnvoySearch, findEnvoy } from '../../src/app/envoy-binary.ts';
import { adaptEnvoyConfig, type CheckEndpoint } from '../../src/app/envoy-config.ts';
import { adminPage, startEnvoyProcess } from '../../src/app/envoy-process.ts';
import {
  type GrpcResponse,
  grpcRequest,
  type HeaderPairs,
  type HttpResponse,
  http1Raw,
  http1Request,
  http2Request,
  type RequestInit,
} from './http-clients.ts';

export interface EnvoySetup {
  /** Where latchkey, or a probe, listens; several are replicas. */
  readonly check: CheckEndpoint | readonly CheckEndpoint[];
  /** `false`: headers reach the check as a map that joins repeated ones. */
  readonly rawHeaders?: boolean;
  /** A release to run, whatever is installed or asked for otherwise. */
  readonly version?: string;
  /** What is under this path prefix names this rule to latchkey (`context_extensions`). */
  readonly namedRules?: Readonly<Record<string, string>>;
  /** Where requests go that pass; absent: an echo upstream that is started and stopped along. */
  readonly upstreamPort?: number;
  readonly concurrency?: number;
  /** For what no test of the reference configuration should need. */
  readonly configPatch?: (document: Document) => void;
}

/** The reference envoy.yaml on a real Envoy, on free ports of 127.0.0.1. */
export interface TestEnvoy {
  readonly port: number;
  readonly adminPort: number;
  /** Not used when the setup named an upstream. */
  readonly upstream: EchoUpstream;
  request(init?: RequestInit): Promise<HttpResponse>;
  rawRequest(bytes: Buffer | string): Promise<HttpResponse>;
  http2Request(init?: RequestInit): Promise<HttpResponse>;
  grpcRequest(init?: { path?: string; headers?: HeaderPairs }): Promise<GrpcResponse>;
  /** A counter or gauge; 0 while Envoy has none of this name. */
  stat(name: string): Promise<number>;
  /** The configuration that Envoy says it runs, as JSON. */
  configDump(): Promise<string>;
  /** Resolves when `count` endpoints of the latchkey cluster pass Envoy's health check. */
  whenHealthy(count?: number): Promise<void>;
  log(): readonly string[];
  /** Resolves with the first line of the access log that has this text, which arrives late. */
  accessLogLine(text: string): Promise<string>;
  stop(): Promise<void>;
}

export const ENVOY_YAML = new URL('../../envoy.yaml', import.meta.url);

/** @throws Error that says what to do, when there is no Envoy or it does not start. */
export async function startEnvoy(setup: EnvoySetup): Promise<TestEnvoy> {
  const binary = await envoyPath(setup.version);
  const upstream = await startEchoUpstream({ port: 0 });
  const configText = adapt(await readFile(ENVOY_YAML, 'utf8'), setup, upstream.port);
  const { concurrency = 1 } = setup;
  const start = await startEnvoyProcess({ binary, configText, concurrency });
  if (start.kind === 'failed') {
    await upstream.close();
    throw new Error(start.message);
  }
  const { envoy } = start;
  const { port, adminPort } = envoy;
  const stat = async (name: string): Promise<number> => readStat(adminPort, name);
  return {
    port,
    adminPort,
    upstream,
    request: (init = {}) => http1Request(port, init),
    rawRequest: (bytes) => http1Raw(port, bytes),
    http2Request: (init = {}) => http2Request(port, init),
    grpcRequest: (init) => grpcRequest(port, init),
    stat,
    configDump: () => adminPage(adminPort, '/config_dump'),
    whenHealthy: async (count = 1) => {
      const name = 'cluster.latchkey.membership_healthy';
      await until(`${name} ${count}`, async () => (await stat(name)) === count || undefined);
    },
    log: envoy.log,
    accessLogLine: (text) =>
      until(`an access log line with ${text}`, async () =>
        envoy.accessLog().find((line) => line.includes(text)),
      ),
    stop: async () => {
      await envoy.stop();
      await upstream.close();
    },
  };
}

/** Where each version is, once it has been looked up and asked for its version. */
const pathsByVersion = new Map<string, Promise<string>>();

/**
 * The path of an Envoy: of this version, else of the one that LATCHKEY_TEST_ENVOY_VERSION names, else whichever is installed
 * (ENVOY_BIN, PATH, the cache).
 * @throws Error of one line that says what to do.
 */
export function envoyPath(version = process.env['LATCHKEY_TEST_ENVOY_VERSION']): Promise<string> {
  if (version === undefined) {
    return found({ envoyBin: process.env['ENVOY_BIN'], searchPath: process.env['PATH'] });
  }
  const path = pathsByVersion.get(version) ?? pathOfVersion(version);
  pathsByVersion.set(version, path);
  return path;
}

/** Of the cache alone: what is installed has a version of its own. */
async function pathOfVersion(version: string): Promise<string> {
  const path = await found({ version });
  const actual = await versionOf(path);
  if (actual === version) return path;
  throw new Error(`${path} is Envoy ${actual}, not ${version}: delete its folder and run again.`);
}

async function found(search: EnvoySearch): Promise<string> {
  const envoy = await findEnvoy(search);
  if (envoy.kind === 'missing') throw new Error(envoy.message);
  return envoy.path;
}

/** Of the Envoy that a test gets which names none. */
export async function envoyVersion(): Promise<string> {
  return versionOf(await envoyPath());
}

async function versionOf(path: string): Promise<string> {
  const { stdout } = await promisify(execFile)(path, ['--version']);
  // `…/envoy  version: <commit>/1.40.0/Clean/RELEASE/BoringSSL`
  const version = / version: \w+\/([^/]+)\//.exec(stdout)?.[1];
  if (version === undefined) throw new Error(`${path} does not tell its version.`);
  return version;
}

/**
 * Envoy's own verdict on a configuration file, unchanged.
 * @throws Error with what Envoy objects to.
 */
export async function validateConfig(path: string, version?: string): Promise<string> {
  const args = ['--mode', 'validate', '--config-path', path, '--disable-hot-restart'];
  const { stdout } = await promisify(execFile)(await envoyPath(version), args);
  return stdout;
}

function adapt(text: string, setup: EnvoySetup, echoPort: number): string {
  const { check, rawHeaders, upstreamPort = echoPort, configPatch, namedRules = {} } = setup;
  const adapted = adaptEnvoyConfig(text, {
    listener: { address: '127.0.0.1', port: 0 },
    admin: { port: 0 },
    check: 'length' in check ? check : [check],
    upstream: { port: upstreamPort },
    ...(rawHeaders === undefined ? {} : { rawHeaders }),
  });
  if (configPatch === undefined && Object.keys(namedRules).length === 0) return adapted;
  const document = parseDocument(adapted);
  configPatch?.(document);
  for (const [prefix, rule] of Object.entries(namedRules)) nameRule(document, prefix, rule);
  return document.toString();
}

/** Puts routes in front which are those there are, for this prefix alone and with the name of a rule. */
function nameRule(document: Document, prefix: string, rule: string): void {
  const place = [
    ...['static_resources', 'listeners', 0, 'filter_chains', 0, 'filters', 0, 'typed_config'],
    ...['route_config', 'virtual_hosts', 0, 'routes'],
  ];
  const routes = document.getIn(place);
  if (!isSeq(routes)) throw new Error('The Envoy configuration has no routes.');
  const named = routes.toJS(document).map((route: { readonly match: object }) => ({
    ...route,
    match: { ...route.match, prefix },
    typed_per_filter_config: {
      'envoy.filters.http.ext_authz': {
        '@type': 'type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute',
        check_settings: { context_extensions: { rule } },
      },
    },
  }));
  document.setIn(place, document.createNode([...named, ...routes.items]));
}

async function readStat(adminPort: number, name: string): Promise<number> {
  const filter = encodeURIComponent(`^${name.replaceAll('.', '\\.')}$`);
  const line = await adminPage(adminPort, `/stats?filter=${filter}`);
  return Number(line.split(': ')[1] ?? 0);
}

const WAIT_TIMEOUT_MS = 15_000;
const POLL_INTERVAL_MS = 20;

/** Asks until there is an answer. */
async function until<T>(what: string, ask: () => Promise<T | undefined>): Promise<T> {
  const deadlineMs = performance.now() + WAIT_TIMEOUT_MS;
  while (performance.now() < deadlineMs) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    await delay(POLL_INTERVAL_MS);
  }
  throw new Error(`waited ${WAIT_TIMEOUT_MS} ms for ${what}`);
}
