import { status } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { checkHeaders, FRAME, messageFrame, preface, rawConnection } from './raw-http2.ts';
import { ANSWER, heldHandler, startServer, until } from './start-server.ts';

const REQUEST = Buffer.from('a request');
const REPLY = { kind: 'reply', bytes: new Uint8Array(ANSWER) };

describe('a drain', () => {
  it('finishes the calls that run, and ends when they have ended', async () => {
    const held = heldHandler();
    const { server, client } = await startServer({ handler: held.handler });
    const calls = [client(), client()].map((one) => one.check(REQUEST));
    await until('both are held', () => held.held === 2);
    const drained = server.drain({ graceMs: 60_000 });
    held.release();
    expect(await Promise.all(calls)).toEqual([REPLY, REPLY]);
    expect(await drained).toEqual({ forcedConnections: 0 });
    expect(server.connectionCount).toBe(0);
  });

  it('tells every client to leave, and refuses new connections, while a call still runs', async () => {
    const held = heldHandler();
    const { server, client } = await startServer({ handler: held.handler });
    const idle = await rawConnection(server.address);
    idle.send(preface());
    const busy = await rawConnection(server.address);
    busy.send(preface(), checkHeaders(1), messageFrame(1, REQUEST));
    await until('the call is held', () => held.held === 1);
    const drained = server.drain({ graceMs: 60_000 });
    for (const raw of [idle, busy]) {
      await raw.received('GOAWAY', ({ type }) => type === FRAME.goaway);
    }
    await idle.closed;
    expect(await client().check(REQUEST, { deadlineMs: 2_000 })).toMatchObject({
      code: status.UNAVAILABLE,
    });
    held.release();
    await busy.received('the reply', ({ type }) => type === FRAME.data);
    expect(await drained).toEqual({ forcedConnections: 0 });
  });

  it('loses no call of a client that has another address and may repeat what was refused', async () => {
    const answered = { first: 0, second: 0 };
    const first = await startServer({
      handler: async () => {
        await new Promise(setImmediate);
        answered.first++;
        return ANSWER;
      },
    });
    const second = await startServer({
      handler: () => {
        answered.second++;
        return ANSWER;
      },
    });
    if (!('port' in first.server.address && 'port' in second.server.address)) {
      throw new Error('TCP ports were asked for');
    }
    const one = first.client({
      target: `ipv4:127.0.0.1:${first.server.address.port},127.0.0.1:${second.server.address.port}`,
      channel: { 'grpc.enable_retries': 1 },
    });
    const outcomes: unknown[] = [];
    const callUntilSecond = async () => {
      while (answered.second < 100) outcomes.push(await one.check(REQUEST));
    };
    const callers = Promise.all(Array.from({ length: 20 }, callUntilSecond));
    await until('the first answers', () => answered.first > 100);
    const report = await first.server.drain({ graceMs: 60_000 });
    await callers;
    expect(report).toEqual({ forcedConnections: 0 });
    expect(outcomes.filter((outcome) => JSON.stringify(outcome) !== JSON.stringify(REPLY))).toEqual(
      [],
    );
  });

  it('cuts what still runs after the grace, and says how much that was', async () => {
    const held = heldHandler();
    const { server, client } = await startServer({ handler: held.handler });
    const calls = [client(), client()].map((one) => one.check(REQUEST));
    await until('both are held', () => held.held === 2);
    const startMs = performance.now();
    expect(await server.drain({ graceMs: 300 })).toEqual({ forcedConnections: 2 });
    expect(performance.now() - startMs).toBeGreaterThanOrEqual(290);
    for (const call of calls) expect(await call).toMatchObject({ kind: 'failure' });
  });

  it('is not held up by a client that neither reads nor closes', async () => {
    const { server } = await startServer();
    const raw = await rawConnection(server.address, { allowHalfOpen: true });
    raw.send(preface());
    raw.socket.pause();
    await until('it is open', () => server.connectionCount === 1);
    expect(await server.drain({ graceMs: 200 })).toEqual({ forcedConnections: 1 });
  });

  it('of an idle server ends at once, and a second one gives the same report', async () => {
    const { server } = await startServer();
    const [one, other] = await Promise.all([
      server.drain({ graceMs: 60_000 }),
      server.drain({ graceMs: 60_000 }),
    ]);
    expect(one).toBe(other);
    expect(one).toEqual({ forcedConnections: 0 });
  });

  it('frees the port', async () => {
    const first = await startServer();
    const listen = first.server.address;
    await expect(startServer({ listen })).rejects.toThrow(
      /cannot listen on 127\.0\.0\.1 port \d+: another process listens there/,
    );
    await first.server.drain({ graceMs: 1_000 });
    const second = await startServer({ listen });
    expect(await second.client().check(REQUEST)).toEqual(REPLY);
  });
});
