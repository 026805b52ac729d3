import { describe, expect, it } from 'vitest';
import {
  checkHeaders,
  FRAME,
  frame,
  grpcMessage,
  messageFrame,
  preface,
  rawConnection,
} from './raw-http2.ts';
import { heldHandler, startServer, until } from './start-server.ts';

const REQUEST = Buffer.from('a request');
const MAX_CONCURRENT_STREAMS = 3;
const REFUSED_STREAM = 7;
const CANCEL = Buffer.of(0, 0, 0, 8);

describe('a connection', () => {
  it('that sends half a message and falls silent is cut by keepalive', async () => {
    const { server, client } = await startServer({
      limits: { keepaliveTimeMs: 100, keepaliveTimeoutMs: 100 },
    });
    const raw = await rawConnection(server.address);
    raw.send(preface(), checkHeaders(1));
    raw.send(frame(FRAME.data, 0, 1, grpcMessage(REQUEST).subarray(0, 7)));
    await raw.closed;
    expect(raw.frames.some(({ type }) => type === FRAME.ping)).toBe(true);
    expect(await client().check(REQUEST)).toMatchObject({ kind: 'reply' });
    await until('the connection is forgotten', () => server.connectionCount === 1);
  });

  it('that never sends a preface is cut by keepalive', async () => {
    const { server } = await startServer({
      limits: { keepaliveTimeMs: 100, keepaliveTimeoutMs: 100 },
    });
    const raw = await rawConnection(server.address);
    await raw.closed;
    expect(server.connectionCount).toBe(0);
  });

  it('is told to leave at its age, and cut after the grace though it holds its half open', async () => {
    const held = heldHandler();
    const { server } = await startServer({
      handler: held.handler,
      limits: { connectionAgeMs: 200, connectionAgeGraceMs: 300 },
    });
    const raw = await rawConnection(server.address, { allowHalfOpen: true });
    raw.send(preface(), checkHeaders(1), messageFrame(1, REQUEST));
    await raw.received('GOAWAY', ({ type }) => type === FRAME.goaway);
    expect(server.connectionCount).toBe(1);
    await until('the connection is cut', () => server.connectionCount === 0);
  });

  it('finishes the call that runs when its age comes', async () => {
    const held = heldHandler();
    const { server } = await startServer({
      handler: held.handler,
      limits: { connectionAgeMs: 200, connectionAgeGraceMs: 10_000 },
    });
    const raw = await rawConnection(server.address);
    raw.send(preface(), checkHeaders(1), messageFrame(1, REQUEST));
    await raw.received('GOAWAY', ({ type }) => type === FRAME.goaway);
    held.release();
    await raw.received('the reply', ({ type, stream }) => type === FRAME.data && stream === 1);
    await raw.closed;
  });

  it.each([
    [0, 900],
    [0.5, 1000],
    [0.999_999, 1100],
  ])('has an age that varies by a tenth: at random %d it is %d ms', async (random, expectedMs) => {
    const delays: number[] = [];
    const { client } = await startServer({
      random: () => random,
      limits: { connectionAgeMs: 1000 },
      schedule: (_, delayMs) => {
        delays.push(delayMs);
        return () => {};
      },
    });
    await client().check(REQUEST);
    expect(delays.map(Math.round)).toEqual([expectedMs]);
  });

  it.each([
    ['text', Buffer.from('GET / HTTP/1.1\r\nhost: a\r\n\r\n'.repeat(100))],
    ['zeroes', Buffer.alloc(10_000)],
    ['a preface and then noise', Buffer.concat([preface(), Buffer.alloc(10_000, 0xa5)])],
    ['a TLS ClientHello', Buffer.from('16030100c8010000c40303'.padEnd(400, '0'), 'hex')],
  ])('of garbage (%s) is closed and does not disturb another one', async (_, garbage) => {
    const held = heldHandler();
    const { server, client } = await startServer({ handler: held.handler });
    const waiting = client().check(REQUEST);
    await until('the call is held', () => held.held === 1);
    const raw = await rawConnection(server.address);
    raw.send(garbage);
    await raw.closed;
    held.release();
    expect(await waiting).toMatchObject({ kind: 'reply' });
    expect(server.connectionCount).toBe(1);
  });

  it('that resets its calls as fast as it opens them is cut, and another one is served', async () => {
    const { server, client } = await startServer();
    const raw = await rawConnection(server.address);
    raw.send(preface());
    for (let stream = 1; stream < 20_000; stream += 2) {
      raw.send(checkHeaders(stream), frame(FRAME.rstStream, 0, stream, CANCEL));
    }
    await raw.closed;
    expect(await client().check(REQUEST)).toMatchObject({ kind: 'reply' });
    await until('the connection is forgotten', () => server.connectionCount === 1);
  });

  it('carries as many calls at once as SETTINGS says, and refuses the next one unprocessed', async () => {
    const held = heldHandler();
    const { server } = await startServer({
      handler: held.handler,
      limits: { streamsPerConnectionMax: 2 },
    });
    const raw = await rawConnection(server.address);
    const settings = await raw.received('SETTINGS', ({ type }) => type === FRAME.settings);
    expect(settingsOf(settings.payload).get(MAX_CONCURRENT_STREAMS)).toBe(2);
    raw.send(preface());
    for (const stream of [1, 3, 5]) raw.send(checkHeaders(stream), messageFrame(stream, REQUEST));
    const refusal = await raw.received('a refusal', ({ type }) => type === FRAME.rstStream);
    expect([refusal.stream, refusal.payload.readUInt32BE()]).toEqual([5, REFUSED_STREAM]);
    expect(held.held).toBe(2);
    held.release();
    for (const stream of [1, 3]) {
      await raw.received(
        'a reply',
        (reply) => reply.type === FRAME.data && reply.stream === stream,
      );
    }
  });

  it('beyond the limit is closed at once and reported, while the others go on', async () => {
    const { server, client, events } = await startServer({ limits: { connectionsMax: 2 } });
    const one = client();
    await one.check(REQUEST);
    await rawConnection(server.address);
    await until('both are open', () => server.connectionCount === 2);
    const third = await rawConnection(server.address);
    await third.closed;
    expect(events).toEqual([{ kind: 'connection_refused', connectionsMax: 2 }]);
    expect(await one.check(REQUEST)).toMatchObject({ kind: 'reply' });
  });

  it('may not fill the memory: calls beyond the session limit fail, and another connection is served', async () => {
    const held = heldHandler();
    const { client } = await startServer({
      handler: held.handler,
      limits: { sessionMemoryMbMax: 1, streamsPerConnectionMax: 2000 },
    });
    const greedy = client();
    const flood = Array.from({ length: 1000 }, () =>
      greedy.check(REQUEST, { deadlineMs: 600_000 }),
    );
    expect(await Promise.race(flood)).toMatchObject({ kind: 'failure' });
    held.release();
    expect(await client().check(REQUEST)).toMatchObject({ kind: 'reply' });
    await Promise.all(flood);
  });
});

function settingsOf(payload: Buffer): Map<number, number> {
  const settings = new Map<number, number>();
  for (let at = 0; at < payload.length; at += 6) {
    settings.set(payload.readUInt16BE(at), payload.readUInt32BE(at + 2));
  }
  return settings;
}
