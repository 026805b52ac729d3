import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { allowing, type CheckProbe, denying, startCheckProbe } from '../support/check-probe.ts';
import { type EnvoySetup, startEnvoy, type TestEnvoy } from '../support/envoy.ts';

/*
 * How the reference envoy.yaml copes with one latchkey, or several, that comes, goes and drains; probes in their place.
 * Only a real Envoy shows it: health checks, retries and connection pools are all its own.
 */

const stops: (() => unknown)[] = [];

afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

async function newProbe(...args: Parameters<typeof startCheckProbe>): Promise<CheckProbe> {
  const probe = await startCheckProbe(...args);
  stops.push(() => probe.stop());
  return probe;
}

async function newEnvoy(setup: EnvoySetup): Promise<TestEnvoy> {
  const envoy = await startEnvoy(setup);
  stops.push(() => envoy.stop());
  return envoy;
}

describe('two replicas of latchkey', () => {
  it('one is gone: not one request is lost, before Envoy’s health check has noticed', async () => {
    const [staying, leaving] = [await newProbe(allowing()), await newProbe(allowing())];
    const envoy = await newEnvoy({ check: [staying.endpoint, leaving.endpoint] });
    await envoy.whenHealthy(2);
    leaving.stop();
    const responses = await Promise.all(Array.from({ length: 50 }, () => envoy.request()));
    expect(responses.map(({ status }) => status)).toEqual(responses.map(() => 200));
    expect(await envoy.stat('cluster.latchkey.upstream_rq_retry')).toBeGreaterThan(0);
  });

  it('one drains: it is asked no more, the other answers', async () => {
    const [staying, draining] = [await newProbe(allowing()), await newProbe(allowing())];
    const envoy = await newEnvoy({ check: [staying.endpoint, draining.endpoint] });
    await envoy.whenHealthy(2);
    draining.setServing(false);
    await envoy.whenHealthy(1);
    const before = draining.requests.length;
    for (let count = 0; count < 10; count += 1) expect((await envoy.request()).status).toBe(200);
    expect(draining.requests).toHaveLength(before);
  });
});

describe('the only latchkey', () => {
  it('over a Unix socket: 503 until it is there, and again as soon as it is gone', async () => {
    const socketPath = join(tmpdir(), `latchkey-probe-${process.pid}.sock`);
    const envoy = await newEnvoy({ check: { socketPath } });
    expect((await envoy.request()).status).toBe(503);
    const probe = await newProbe(allowing(), { socketPath });
    await envoy.whenHealthy();
    expect((await envoy.request()).status).toBe(200);
    probe.stop();
    expect((await envoy.request()).status).toBe(503);
    expect(envoy.upstream.requests()).toBe(1);
  });

  it('drains: it is still asked', async () => {
    const probe = await newProbe(allowing());
    const envoy = await newEnvoy({ check: probe.endpoint });
    await envoy.whenHealthy();
    probe.setServing(false);
    await envoy.whenHealthy(0);
    expect((await envoy.request()).status).toBe(200);
  });
});

it('rawHeaders: false joins repeated headers, as an Envoy without encode_raw_headers does', async () => {
  const probe = await newProbe(allowing());
  const envoy = await newEnvoy({ check: probe.endpoint, rawHeaders: false });
  const headers = [
    ['x-api-key', 'a'],
    ['x-api-key', 'b'],
  ] as const;
  await envoy.request({ headers });
  expect(probe.requests.at(-1)?.toString('latin1')).toContain('a,b');
});

describe('a WebSocket', () => {
  const handshake =
    'GET /ws HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n';

  /** Answers every handshake and echoes what follows. */
  async function startUpstream(): Promise<number> {
    const server = createServer().on('upgrade', (_request, socket) => {
      socket.write(
        'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n',
      );
      socket.pipe(socket).on('error', () => socket.destroy());
      stops.push(() => socket.destroy());
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    stops.push(() => server.close());
    return (server.address() as AddressInfo).port; // It listens on TCP.
  }

  it('is checked, and then flows', async () => {
    const probe = await newProbe(allowing());
    const upstreamPort = await startUpstream();
    const envoy = await newEnvoy({ check: probe.endpoint, upstreamPort });
    const socket = connect(envoy.port, '127.0.0.1', () => socket.write(handshake));
    stops.push(() => socket.destroy());
    const received = await new Promise<string>((resolve) => {
      let text = '';
      socket.on('data', (chunk: Buffer) => {
        if (text === '') socket.write('ping');
        text += chunk.toString('latin1');
        if (text.endsWith('ping')) resolve(text);
      });
    });
    expect(received).toMatch(/^HTTP\/1\.1 101 /);
    expect(probe.requests).toHaveLength(1);
  });

  it('that is denied gets no 101', async () => {
    const probe = await newProbe(denying());
    const envoy = await newEnvoy({ check: probe.endpoint, upstreamPort: await startUpstream() });
    expect((await envoy.rawRequest(handshake)).status).toBe(401);
  });
});
