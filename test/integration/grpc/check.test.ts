import { connect } from 'node:http2';
import { status } from '@grpc/grpc-js';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { CheckCall } from '../../../src/envoy/ports.ts';
import { checkHeaders, FRAME, messageFrame, preface, rawConnection } from './raw-http2.ts';
import { ANSWER, FALLBACK, heldHandler, startServer, until } from './start-server.ts';

const REQUEST = Buffer.from('a request');
const SECRET = 'lk_live_this-must-stay-inside';

describe('the Check method', () => {
  it.each([
    ['at once', () => ANSWER],
    ['by a promise', async () => ANSWER],
    ['as a view into a larger memory', () => new Uint8Array([0, ...ANSWER]).subarray(1)],
  ] as const)('sends the reply byte for byte when it is given %s', async (_, handler) => {
    const { client } = await startServer({ handler });
    expect(await client().check(REQUEST)).toEqual({ kind: 'reply', bytes: new Uint8Array(ANSWER) });
  });

  it.each([
    ['nothing', Buffer.alloc(0)],
    ['one byte', Buffer.of(0xff)],
    ['more than an HTTP/2 frame and a flow-control window', Buffer.alloc(200_000, 7)],
  ])('hands the handler a request of %s byte for byte', async (_, request) => {
    const seen: Uint8Array[] = [];
    const { client } = await startServer({
      handler: (bytes) => {
        seen.push(bytes);
        return ANSWER;
      },
    });
    await client().check(request);
    expect(seen.map((bytes) => Buffer.from(bytes))).toEqual([request]);
  });

  it('tells the handler the deadline of the caller on the monotonic clock', async () => {
    const calls: CheckCall[] = [];
    const { client } = await startServer({
      handler: (_, call) => {
        calls.push(call);
        return ANSWER;
      },
    });
    const beforeMs = performance.now();
    await client().check(REQUEST, { deadlineMs: 60_000 });
    await client().check(REQUEST, { deadlineMs: Number.POSITIVE_INFINITY });
    const remainingMs = (calls[0]?.deadlineMonoMs ?? 0) - beforeMs;
    expect(remainingMs).toBeGreaterThan(50_000);
    expect(remainingMs).toBeLessThan(61_000);
    expect(calls[1]?.deadlineMonoMs).toBe(Number.POSITIVE_INFINITY);
  });

  it('ends a call at its deadline, and an answer that comes later harms nothing', async () => {
    const held = heldHandler();
    const { client, events } = await startServer({ handler: held.handler });
    const one = client();
    expect(await one.check(REQUEST, { deadlineMs: 100 })).toMatchObject({
      code: status.DEADLINE_EXCEEDED,
    });
    held.release();
    expect(await one.check(REQUEST)).toMatchObject({ kind: 'reply' });
    expect(events).toEqual([]);
  });

  it('does no work for a call whose deadline has passed', async () => {
    let ran = 0;
    let aheadMs = 0;
    const { server } = await startServer({
      handler: () => {
        ran++;
        return ANSWER;
      },
      clock: () => ({ wallMs: Date.now() + aheadMs, monoMs: performance.now() }),
    });
    const raw = await rawConnection(server.address);
    raw.send(preface(), checkHeaders(1, { 'grpc-timeout': '5S' }));
    // The message comes after the deadline, as it does behind a stalled event loop.
    aheadMs = 6_000;
    raw.send(messageFrame(1, REQUEST));
    await raw.received('the end of the call', ({ type }) => type === FRAME.headers);
    expect(ran).toBe(0);
  });

  it('ends the call with UNAVAILABLE where the policy asked for a gRPC error', async () => {
    const { client } = await startServer({ handler: () => 'grpc_unavailable' });
    expect(await client().check(REQUEST)).toMatchObject({ code: status.UNAVAILABLE });
  });

  it.each([
    ['throws', () => fail()],
    ['rejects', async () => fail()],
  ] as const)(
    'denies explicitly when the handler %s, and keeps the error from the caller',
    async (_, handler) => {
      const { client, events } = await startServer({ handler });
      const outcome = await client().check(REQUEST);
      expect(outcome).toEqual({ kind: 'reply', bytes: new Uint8Array(FALLBACK) });
      expect(events).toMatchObject([{ kind: 'handler_failed', error: { message: SECRET } }]);
    },
  );

  it.each([
    ['empty, which Envoy would read as an allow', 0],
    ['over the limit', 1001],
  ])('denies explicitly when the reply is %s', async (_, bytes) => {
    const { client, events } = await startServer({
      handler: () => new Uint8Array(bytes),
      limits: { replyBytesMax: 1000 },
    });
    expect(await client().check(REQUEST)).toEqual({
      kind: 'reply',
      bytes: new Uint8Array(FALLBACK),
    });
    expect(events).toEqual([{ kind: 'reply_unusable', bytes }]);
  });

  it('refuses to start with a fallback that Envoy would read as an allow', async () => {
    await expect(startServer({ fallback: new Uint8Array() })).rejects.toThrow(/fallback.*empty/);
  });

  it('takes a request up to the limit and refuses one byte more, on the same connection', async () => {
    const { client } = await startServer({ limits: { requestBytesMax: 100_000 } });
    const one = client();
    expect(await one.check(Buffer.alloc(100_001))).toMatchObject({
      code: status.RESOURCE_EXHAUSTED,
    });
    expect(await one.check(Buffer.alloc(100_000))).toMatchObject({ kind: 'reply' });
  });

  it.each(['/envoy.service.auth.v3.Authorization/Other', '/other.Service/Check'])(
    'answers UNIMPLEMENTED to %s',
    async (path) => {
      const { client } = await startServer();
      expect(await client().check(REQUEST, { path })).toMatchObject({ code: status.UNIMPLEMENTED });
    },
  );

  it.each(['application/json', 'text/plain', ''])(
    'answers 415 to the content type %j',
    async (type) => {
      const { server } = await startServer();
      if (!('port' in server.address)) throw new Error('a TCP port was asked for');
      const session = connect(`http://127.0.0.1:${server.address.port}`);
      onTestFinished(() => session.destroy());
      const call = session.request({
        ':method': 'POST',
        ':path': '/envoy.service.auth.v3.Authorization/Check',
        'content-type': type,
      });
      const headers = await new Promise<{ ':status'?: number }>((resolve) => {
        call.on('response', resolve);
        call.end(REQUEST);
      });
      expect(headers[':status']).toBe(415);
    },
  );

  it('takes a compressed flag without an encoding for what it is, plain bytes, and answers', async () => {
    const seen: Uint8Array[] = [];
    const { server } = await startServer({
      handler: (bytes) => {
        seen.push(bytes);
        return ANSWER;
      },
    });
    const raw = await rawConnection(server.address);
    raw.send(preface(), checkHeaders(1), messageFrame(1, REQUEST, { compressedFlag: 1 }));
    const reply = await raw.received('the reply', ({ type }) => type === FRAME.data);
    expect(reply.payload.subarray(5)).toEqual(ANSWER);
    expect(Buffer.from(seen[0] ?? [])).toEqual(REQUEST);
  });

  it('never sends a compressed reply, which Envoy would refuse', async () => {
    const { server } = await startServer({ handler: () => Buffer.alloc(10_000) });
    const raw = await rawConnection(server.address);
    raw.send(
      preface(),
      checkHeaders(1, { 'grpc-accept-encoding': 'gzip,deflate' }),
      messageFrame(1, REQUEST),
    );
    const reply = await raw.received('the reply', ({ type }) => type === FRAME.data);
    expect(reply.payload.readUInt8(0)).toBe(0);
  });

  it('answers calls in the order in which their facts arrive, not in that of the calls', async () => {
    const held = heldHandler();
    const { client } = await startServer({
      handler: (request) => (request.length === 1 ? held.handler() : ANSWER),
    });
    const one = client();
    const slow = one.check(Buffer.of(1));
    await until('the first call waits', () => held.held === 1);
    expect(await one.check(REQUEST)).toMatchObject({ kind: 'reply' });
    held.release();
    expect(await slow).toMatchObject({ kind: 'reply' });
  });
});

function fail(): never {
  throw new Error(SECRET);
}
