import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type EchoUpstream, startEchoUpstream } from '../../../src/app/echo-upstream.ts';
import { grpcRequest, http1Request, http2Request } from '../../support/http-clients.ts';

let upstream: EchoUpstream;

beforeEach(async () => {
  upstream = await startEchoUpstream({ port: 0 });
});
afterEach(() => upstream.close());

describe('the echo upstream', () => {
  const headers = [
    ['x-a', '1'],
    ['x-a', '2'],
    ['x-b', '\xe9"'],
  ] as const;

  it.each([
    ['HTTP/1.1', http1Request, '1.1'],
    ['HTTP/2', http2Request, '2.0'],
  ])('tells over %s what it saw, repeats and odd bytes included', async (_name, send, protocol) => {
    const request = { method: 'POST', path: '/a?b=%20', headers, body: 'four' };
    const echo = (await send(upstream.port, request)).echo();
    expect(echo).toMatchObject({ method: 'POST', path: '/a?b=%20', protocol, bodyBytes: 4 });
    expect(echo.headers.filter(([name]) => name.startsWith('x-'))).toEqual(headers);
  });

  it('answers HEAD without a body', async () => {
    const response = await http1Request(upstream.port, { method: 'HEAD' });
    expect([response.status, response.body]).toEqual([200, '']);
  });

  it('answers a gRPC call as gRPC', async () => {
    const { code, echo } = await grpcRequest(upstream.port, { headers: [['x-a', '1']] });
    expect(code).toBe(0);
    expect(echo?.headers).toContainEqual(['x-a', '1']);
    expect(upstream.requests()).toBe(1);
  });

  it('takes a request that comes byte by byte for what it is', async () => {
    const socket = connect(upstream.port, '127.0.0.1');
    socket.setNoDelay(true);
    for (const byte of 'PUT / HTTP/1.1\r\nhost: a\r\n\r\n') {
      await new Promise((written) => socket.write(byte, written));
    }
    const [first] = await once(socket, 'data');
    socket.destroy();
    expect(String(first)).toMatch(/^HTTP\/1\.1 200 /);
  });

  it('refuses a body beyond its limit instead of reading it', async () => {
    const body = Buffer.alloc(10 * 1024 * 1024 + 1);
    expect((await http2Request(upstream.port, { method: 'POST', body })).status).toBe(413);
  });

  it('close ends connections that are open', async () => {
    const socket = connect(upstream.port, '127.0.0.1');
    await once(socket, 'connect');
    socket.write('GET / HTTP/1.1\r\n');
    // Closed or reset: either way it is over.
    const ended = new Promise((resolve) => socket.on('error', resolve).on('close', resolve));
    await upstream.close();
    await ended;
  });
});
