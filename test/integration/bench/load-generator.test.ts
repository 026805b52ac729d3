import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type ServerHttp2Stream, type Settings } from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import type { FlowSpec, Pace } from '../../bench/load/flow.ts';
import { WINDOW_BYTES_DEFAULT } from '../../bench/load/frames.ts';
import { LoadGenerator } from '../../bench/load/generator.ts';
import { KeyTable } from '../../bench/load/key-table.ts';
import type { RunCommand } from '../../bench/load/protocol.ts';
import { runFlows } from '../../bench/load/run-flows.ts';
import type { TrafficSpec } from '../../bench/load/traffic.ts';
import { mintLiveKey } from '../../bench/store/key-texts.ts';
import { type ProbeHandler, startCheckProbe } from '../../support/check-probe.ts';
import { loadProtoOracle } from '../../support/proto-oracle.ts';
import { startNarrowServer } from './narrow-server.ts';

const oracle = loadProtoOracle();
const ALLOW = oracle.encodeResponse({ status: { code: 0 }, ok_response: {} });
const DENY = oracle.encodeResponse({ status: { code: 16 }, denied_response: {} });
const KEYS = 300;
const texts = Buffer.from(Array.from({ length: KEYS }, () => mintLiveKey().text).join(''));
const table = new KeyTable(texts);

const stops: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'latchkey-bench-test-'));
  stops.push(() => rm(path, { recursive: true, force: true }));
  return path;
}

/** A real gRPC server; what it was asked can be looked at. */
async function probe(handler: ProbeHandler) {
  const socketPath = join(await folder(), 'check.sock');
  const started = await startCheckProbe(handler, { socketPath });
  stops.push(() => started.stop());
  return { socketPath, requests: started.requests, stop: () => started.stop() };
}

/** A server without gRPC's own dealings with windows and streams. */
async function http2Server(settings: Settings, onStream: (stream: ServerHttp2Stream) => void) {
  const socketPath = join(await folder(), 'http.sock');
  const server = createServer({ settings });
  server.on('stream', onStream);
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  stops.push(() => server.close());
  return { socketPath };
}

interface Wish {
  readonly pace?: Pace;
  readonly connections?: number;
  readonly traffic?: Partial<TrafficSpec>;
  readonly measured?: RunCommand['measured'];
}

function run(socketPath: string, wish: Wish = {}) {
  return runFlows(command(socketPath, wish), table, () => {});
}

function command(socketPath: string, wish: Wish): RunCommand {
  const { pace = { kind: 'closed', concurrency: 4 }, connections = 2 } = wish;
  const traffic: TrafficSpec = {
    ...{ kind: 'check', keys: { from: 0, count: KEYS }, order: 'random', addresses: 16 },
    ...wish.traffic,
  };
  const flow: FlowSpec = { name: 'test', pace, connections, seed: 1, traffic };
  const { measured = { ms: 200 } } = wish;
  return { kind: 'run', target: { socketPath }, flows: [flow], warmupMs: 0, measured, pids: [] };
}

const EACH_ONCE = { traffic: { order: 'each-once' }, measured: 'keys-used' } as const;

function keyOf(request: Buffer): string {
  const lines = oracle.decodeRequest(request).attributes?.request?.http?.header_map?.headers ?? [];
  const value = lines.find(({ key }) => key === 'authorization')?.raw_value.toString() ?? '';
  return value.slice('Bearer '.length);
}

describe('the load generator, against real servers', () => {
  it('asks for each key once, and counts every answer', async () => {
    const { socketPath, requests } = await probe(() => ALLOW);
    const { flows } = await run(socketPath, EACH_ONCE);
    expect(flows[0]).toMatchObject({ allowed: KEYS, refused: 0, broken: 0, failure: undefined });
    const asked = requests.map(keyOf).sort();
    expect(asked).toEqual(Array.from({ length: KEYS }, (_, index) => table.text(index)).sort());
  });

  it('tells allows, denials and failures apart', async () => {
    let count = 0;
    const { socketPath } = await probe(() => {
      count += 1;
      if (count % 3 === 0) throw new Error('no answer');
      return count % 3 === 1 ? ALLOW : DENY;
    });
    // An open pace goes on after a failure; a closed one would lose a slot with each.
    const pace: Pace = { kind: 'open', perSecond: 300, burstMax: 3 };
    const { flows } = await run(socketPath, { pace });
    const { allowed = 0, refused = 0, broken = 0 } = flows[0] ?? {};
    expect(Math.max(allowed, refused, broken) - Math.min(allowed, refused, broken)).toBeLessThan(5);
    expect(allowed).toBeGreaterThan(0);
  });

  it('sends no more than there is room for, and the rest when there is', async () => {
    const socketPath = join(await folder(), 'narrow.sock');
    const { mostBytes, close } = await startNarrowServer(socketPath, ALLOW);
    stops.push(close);
    const pace: Pace = { kind: 'closed', concurrency: KEYS };
    const { flows } = await run(socketPath, { ...EACH_ONCE, pace, connections: 1 });
    expect(flows[0]).toMatchObject({ allowed: KEYS, broken: 0 });
    expect(mostBytes()).toBeGreaterThan(WINDOW_BYTES_DEFAULT / 2);
    expect(mostBytes()).toBeLessThanOrEqual(WINDOW_BYTES_DEFAULT);
  });

  it('opens no more streams at a time than a server allows', async () => {
    let [open, most] = [0, 0];
    const { socketPath } = await http2Server({ maxConcurrentStreams: 3 }, (stream) => {
      open += 1;
      most = Math.max(most, open);
      stream.once('close', () => {
        open -= 1;
      });
      setTimeout(() => {
        stream.respond({ ':status': 200 });
        stream.end('ok');
      }, 2);
    });
    const pace: Pace = { kind: 'closed', concurrency: 50 };
    const traffic = { kind: 'http', order: 'each-once' } as const;
    const { flows } = await run(socketPath, { ...EACH_ONCE, pace, traffic, connections: 1 });
    expect(flows[0]).toMatchObject({ allowed: KEYS, broken: 0 });
    expect(most).toBe(3);
  });

  it('counts every request that arrived in time, however late its answer', async () => {
    const { socketPath } = await probe(async () => {
      await delay(300);
      return ALLOW;
    });
    const pace: Pace = { kind: 'open', perSecond: 500, burstMax: 4 };
    const { flows } = await run(socketPath, { pace, measured: { ms: 250 } });
    expect(flows[0]?.latency.count).toBeGreaterThan(60);
    expect(flows[0]?.latency.p50Us).toBeGreaterThan(290_000);
  });

  it('counts the wait of every request that arrives while a server stands still', async () => {
    const stallMs = 300;
    const startedMs = performance.now();
    const { socketPath } = await probe(async () => {
      const sinceMs = performance.now() - startedMs;
      if (sinceMs > 100 && sinceMs < 100 + stallMs) await delay(100 + stallMs - sinceMs);
      return ALLOW;
    });
    const pace: Pace = { kind: 'open', perSecond: 500, burstMax: 4 };
    const { flows } = await run(socketPath, { pace, measured: { ms: 1000 } });
    const { latency, broken } = flows[0] ?? {};
    expect(broken).toBe(0);
    // About 500, of which a third came in the stall, and a tenth near its beginning.
    expect(latency?.count).toBeGreaterThan(300);
    expect(latency?.p90Us).toBeGreaterThan(100_000);
    expect(latency?.maxUs).toBeGreaterThan(200_000);
  });

  it('counts from when a request was to be sent, even where it was itself too late to send it', async () => {
    const { socketPath } = await probe(() => ALLOW);
    const pace: Pace = { kind: 'open', perSecond: 500, burstMax: 4 };
    const running = run(socketPath, { pace, measured: { ms: 1000 } });
    await delay(300);
    const blockedUntilMs = performance.now() + 250;
    // Nothing is sent and nothing is answered meanwhile: one thread does both here.
    while (performance.now() < blockedUntilMs);
    const { flows } = await running;
    expect(flows[0]?.latency.p90Us).toBeGreaterThan(50_000);
    expect(flows[0]?.sendLag.maxUs).toBeGreaterThan(200_000);
  });

  it('says why when a server goes away in the middle of a run', async () => {
    const server = await probe(() => ALLOW);
    const running = run(server.socketPath, { measured: { ms: 400 } });
    await delay(100);
    server.stop();
    const { flows } = await running;
    expect(flows[0]?.broken).toBeGreaterThan(0);
    expect(flows[0]?.failure).toBeDefined();
  });

  it('runs in a process of its own, and fails as a whole where a request got no answer', async () => {
    const keyFile = join(await folder(), 'keys');
    await writeFile(keyFile, texts);
    const generator = await LoadGenerator.start([]);
    stops.push(() => generator.stop());
    await generator.useKeys(keyFile);
    const good = await probe(() => ALLOW);
    let measuring = 0;
    const found = await generator.run(
      { ...command(good.socketPath, EACH_ONCE), pids: [process.pid] },
      () => {
        measuring += 1;
      },
    );
    expect(found.flows[0]).toMatchObject({ allowed: KEYS, broken: 0 });
    expect(measuring).toBe(1);
    const bad = await probe(() => {
      throw new Error('no answer');
    });
    await expect(generator.run(command(bad.socketPath, {}))).rejects.toThrow(/no proper answer/);
  });
});
