import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { type Document, parseDocument } from 'yaml';
import { type EchoUpstream, startEchoUpstream } from '../../src/app/echo-upstream.ts';
import { findEnvoy } from '../../src/app/envoy-binary.ts';
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
  /** A release to run, whatever is installed. */
  readonly version?: string;
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

/**
 * The path of an Envoy: of this version, or else whichever is installed (ENVOY_BIN, PATH, the cache).
 * @throws Error that says what to do.
 */
export async function envoyPath(version?: string): Promise<string> {
  const installed = { envoyBin: process.env['ENVOY_BIN'], searchPath: process.env['PATH'] };
  const envoy = await findEnvoy(version === undefined ? installed : { version });
  if (envoy.kind === 'missing') throw new Error(envoy.message);
  return envoy.path;
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
  const { check, rawHeaders, upstreamPort = echoPort, configPatch } = setup;
  const adapted = adaptEnvoyConfig(text, {
    listener: { address: '127.0.0.1', port: 0 },
    admin: { port: 0 },
    check: 'length' in check ? check : [check],
    upstream: { port: upstreamPort },
    ...(rawHeaders === undefined ? {} : { rawHeaders }),
  });
  if (configPatch === undefined) return adapted;
  const document = parseDocument(adapted);
  configPatch(document);
  return document.toString();
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
