import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { CheckHandler } from '../../../src/envoy/ports.ts';
import type { GrpcServerEvent } from '../../../src/grpc/ports.ts';
import {
  createGrpcServer,
  type GrpcServer,
  type GrpcServerOptions,
} from '../../../src/grpc/server.ts';
import {
  type CheckClient,
  type CheckClientOptions,
  createCheckClient,
} from '../../support/check-client.ts';

/** What a test handler answers, and what goes out when it fails; the server looks into neither. */
export const ANSWER = Buffer.from('an answer');
export const FALLBACK = Buffer.from('a denial');

export interface TestServer {
  readonly server: GrpcServer;
  readonly events: GrpcServerEvent[];
  /** A client of its own connection, closed after the test. */
  client(options?: CheckClientOptions): CheckClient;
}

/** A real server, on a free port of the loopback address unless told otherwise, stopped after the test. */
export async function startServer(
  overrides: Partial<GrpcServerOptions> & { readonly handler?: CheckHandler } = {},
): Promise<TestServer> {
  const events: GrpcServerEvent[] = [];
  const server = await createGrpcServer({
    listen: { host: '127.0.0.1', port: 0 },
    handler: () => ANSWER,
    fallback: FALLBACK,
    clock: () => ({ wallMs: Date.now(), monoMs: performance.now() }),
    schedule: (run, delayMs) => {
      const timer = setTimeout(run, delayMs);
      return () => clearTimeout(timer);
    },
    random: () => 0.5,
    onEvent: (event) => events.push(event),
    ...overrides,
  });
  onTestFinished(async () => {
    await server.drain({ graceMs: 1 });
  });
  return {
    server,
    events,
    client(options) {
      const client = createCheckClient(server.address, options);
      onTestFinished(() => client.close());
      return client;
    },
  };
}

/** A short folder, since the path of a Unix socket must be short; removed after the test. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'lk-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

const WAIT_MS_MAX = 10_000;
const LOOK_AGAIN_MS = 5;

/** Resolves as soon as `condition` holds; rejects, naming `what`, if it never does. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
): Promise<void> {
  const deadline = performance.now() + WAIT_MS_MAX;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`never happened: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
  }
}

/** A handler that holds every call until `release` is called. */
export function heldHandler() {
  let release = () => {};
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  let held = 0;
  return {
    handler: async () => {
      held++;
      await gate;
      return ANSWER;
    },
    get held() {
      return held;
    },
    release,
  };
}
