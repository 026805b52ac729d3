import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from 'vitest';
import { type AdminServer, startAdminServer } from '../../../src/http/admin.ts';
import type { ReadinessReport } from '../../../src/http/ports.ts';

const SCRAPE = { contentType: 'text/plain; version=0.0.4; charset=utf-8', body: '# HELP x y\n' };
const open: AdminServer[] = [];

async function start(
  of: {
    readiness?: () => ReadinessReport;
    scrape?: () => Promise<typeof SCRAPE>;
    port?: number;
  } = {},
) {
  const faults: unknown[] = [];
  const started = await startAdminServer({
    listen: { host: '127.0.0.1', port: of.port ?? 0 },
    readiness: of.readiness ?? (() => ({ state: 'ready', parts: [] })),
    scrape: of.scrape ?? (async () => SCRAPE),
    onFault: (error) => faults.push(error),
  });
  if (started.kind === 'failed') throw new Error(started.message);
  open.push(started.server);
  const { port } = started.server.address;
  const ask = (path: string, init?: RequestInit) => fetch(`http://127.0.0.1:${port}${path}`, init);
  return { ask, faults, port, server: started.server };
}

/** Bytes as they are, for what fetch would not send. */
async function sendRaw(port: number, bytes: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.end(bytes);
  return text(socket);
}

afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => server.close()));
});

describe('health', () => {
  it('/livez is 200 whatever the parts say', async () => {
    const { ask } = await start({ readiness: () => ({ state: 'not_ready', parts: [] }) });
    const answer = await ask('/livez');
    expect([answer.status, await answer.json()]).toEqual([200, { state: 'live' }]);
  });

  it.each([
    ['ready', 200],
    ['degraded', 200],
    ['not_ready', 503],
  ] as const)(
    '/readyz for %s is %d and names the parts, the troubled ones first',
    async (state, status) => {
      const report: ReadinessReport = {
        state,
        parts: [
          { name: 'policy', state: 'ready', sinceMs: 0 },
          { name: 'store', state, reason: 'does not answer', sinceMs: 1_790_000_000_123 },
        ],
      };
      const { ask } = await start({ readiness: () => report });

      const answer = await ask('/readyz');

      const policy = { name: 'policy', state: 'ready', since: '1970-01-01T00:00:00.000Z' };
      const since = '2026-09-21T14:13:20.123Z';
      const store = { name: 'store', state, reason: 'does not answer', since };
      const parts = state === 'ready' ? [policy, store] : [store, policy];
      expect([answer.status, await answer.json()]).toEqual([status, { state, parts }]);
      expect(answer.headers.get('content-type')).toMatch(/^application\/json/);
    },
  );

  it('is asked anew each time', async () => {
    let state: ReadinessReport['state'] = 'not_ready';
    const { ask } = await start({ readiness: () => ({ state, parts: [] }) });
    expect((await ask('/readyz')).status).toBe(503);
    state = 'ready';
    expect((await ask('/readyz')).status).toBe(200);
  });
});

describe('metrics', () => {
  it('/metrics gives the scrape with its own content type', async () => {
    const { ask } = await start();
    const answer = await ask('/metrics');
    expect(await answer.text()).toBe(SCRAPE.body);
    expect(answer.headers.get('content-type')).toBe(SCRAPE.contentType);
  });

  it('a scrape that fails is a 500 that tells nothing, and a fault', async () => {
    const error = new Error('lk_live_secret');
    const { ask, faults } = await start({ scrape: () => Promise.reject(error) });

    const answer = await ask('/metrics');

    expect(answer.status).toBe(500);
    expect(await answer.text()).toBe('{"status":500,"code":"internal_error"}');
    expect(faults).toEqual([error]);
  });
});

describe('every path', () => {
  it.each(['/livez', '/readyz', '/metrics'])(
    '%s answers HEAD as GET, without a body',
    async (path) => {
      const { ask } = await start();
      const [head, get] = [await ask(path, { method: 'HEAD' }), await ask(path)];
      expect(head.status).toBe(get.status);
      expect(head.headers.get('content-type')).toBe(get.headers.get('content-type'));
      expect(await head.text()).toBe('');
    },
  );

  it.each(['/livez', '/readyz', '/metrics'])(
    '%s refuses other methods and names its own',
    async (path) => {
      const { ask, port } = await start();
      const bodies = [
        { method: 'POST', body: '{"a":1}', headers: { 'content-type': 'application/json' } },
        { method: 'POST', body: 'x'.repeat(100_000) },
        { method: 'PUT', body: '{broken', headers: { 'content-type': 'application/json' } },
        { method: 'PATCH', body: 'x', headers: { 'content-type': 'no/such-type' } },
        { method: 'DELETE' },
        { method: 'OPTIONS' },
      ];
      for (const init of bodies) {
        const answer = await ask(`${path}?x=1`, init);
        expect([answer.status, answer.headers.get('allow')], init.method).toEqual([
          405,
          'GET, HEAD',
        ]);
        expect(await answer.json()).toEqual({ status: 405, code: 'method_not_allowed' });
      }
      for (const method of ['PROPFIND', 'TRACE', 'QUERY', 'PURGE']) {
        const raw = await sendRaw(port, `${method} ${path} HTTP/1.1\r\nhost: x\r\n\r\n`);
        expect(raw, method).toMatch(/^HTTP\/1\.1 405 /);
        expect(raw, method).toContain('\r\nallow: GET, HEAD\r\n');
        expect(raw, method).toContain('\r\nconnection: close\r\n');
      }
    },
  );

  it.each(['/', '/livez/', '/LIVEZ', '/livez/x', '//livez', '/%6civez/..', '/admin', '/__proto__'])(
    '%s is not there, and the answer says what is',
    async (path) => {
      const { port } = await start();
      const raw = await sendRaw(port, `GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`);
      expect(raw).toMatch(/^HTTP\/1\.1 404 /);
      const { 1: body = '' } = raw.split('\r\n\r\n');
      expect(JSON.parse(body)).toEqual({
        status: 404,
        code: 'not_found',
        paths: ['/livez', '/readyz', '/metrics'],
      });
    },
  );

  it('carries no banner and is never cached', async () => {
    const { ask } = await start();
    for (const path of ['/livez', '/readyz', '/metrics', '/nothing']) {
      const { headers } = await ask(path);
      expect(headers.get('server')).toBeNull();
      expect(headers.get('x-powered-by')).toBeNull();
      expect(headers.get('cache-control')).toBe('no-store');
    }
  });
});

describe('a client that misbehaves', () => {
  it('is not told more about a broken path than that', async () => {
    const { port } = await start();
    const raw = await sendRaw(port, 'GET /%zz HTTP/1.1\r\nhost: x\r\n\r\n');
    expect(raw.split('\r\n\r\n')[1]).toBe('{"status":400,"code":"bad_request"}');
  });

  it.each([
    { title: 'broken escapes', bytes: 'GET /%zz HTTP/1.1\r\nhost: x\r\n\r\n', status: 400 },
    { title: 'no HTTP', bytes: 'hello\r\n\r\n', status: 400 },
    {
      title: 'headers beyond 8 KiB',
      bytes: `GET /livez HTTP/1.1\r\nhost: x\r\na: ${'x'.repeat(9000)}\r\n\r\n`,
      status: 431,
    },
    { title: 'no Host', bytes: 'GET /livez HTTP/1.1\r\n\r\n', status: 400 },
    {
      title: 'two lengths',
      bytes: 'GET /livez HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n',
      status: 400,
    },
  ])('with $title gets $status, and the server lives on', async ({ bytes, status }) => {
    const { ask, port, faults } = await start();

    expect(await sendRaw(port, bytes)).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect((await ask('/livez')).status).toBe(200);
    expect(faults).toEqual([]);
  });

  it('loses its connection when it says nothing, half a request, or no body', async () => {
    const { port } = await start();
    const beginnings = [
      '',
      'GET /livez HTTP/1.1\r\nhost: x\r\n',
      'GET /livez HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n',
    ];
    const closed = beginnings.map((bytes) => {
      const socket = connect(port, '127.0.0.1').resume();
      socket.write(bytes);
      return new Promise((resolve) => socket.once('close', resolve));
    });
    await Promise.all(closed);
  });

  it('cannot smuggle a second request in the body of the first', async () => {
    const { port } = await start();
    const inner = 'GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n';
    const raw = await sendRaw(
      port,
      `POST /livez HTTP/1.1\r\nhost: x\r\ncontent-length: ${inner.length}\r\n\r\n${inner}`,
    );
    expect(raw.match(/HTTP\/1\.1 /g)).toHaveLength(1);
  });
});

describe('start and close', () => {
  it('says which address is taken, and what to do', async () => {
    const { port } = await start();
    const second = await startAdminServer({
      listen: { host: '127.0.0.1', port },
      readiness: () => ({ state: 'ready', parts: [] }),
      scrape: async () => SCRAPE,
      onFault() {},
    });
    expect(second).toEqual({
      kind: 'failed',
      message: `Health and metrics cannot listen on 127.0.0.1:${port}: another process does. Stop it; LATCHKEY_ADMIN_LISTEN or --admin-listen chooses another address.`,
    });
  });

  it.each(['192.0.2.1', 'no-such-host.invalid'])(
    'says that %s is no address of this machine',
    async (host) => {
      const started = await startAdminServer({
        listen: { host, port: 10_003 },
        readiness: () => ({ state: 'ready', parts: [] }),
        scrape: async () => SCRAPE,
        onFault() {},
      });
      expect(started).toMatchObject({
        kind: 'failed',
        message: expect.stringContaining(`cannot listen on ${host}:10003`),
      });
    },
  );

  it('waits for nobody who has sent half a request', async () => {
    const { server, port } = await start();
    const socket = connect(port, '127.0.0.1').resume();
    socket.on('error', () => {});
    const closed = new Promise((resolve) => socket.once('close', resolve));
    await new Promise((resolve) => socket.write('GET /livez HTTP/1.1\r\n', resolve));
    await (await fetch(`http://127.0.0.1:${port}/livez`)).text();

    const startedMs = performance.now();
    await server.close();
    await closed;

    // The timeout of a request would end it as well, after two seconds.
    expect(performance.now() - startedMs).toBeLessThan(1500);
  });

  it('closes idle connections with it, and frees the port', async () => {
    const { ask, server, port } = await start();
    await (await ask('/livez')).text();

    await server.close();

    await expect(fetch(`http://127.0.0.1:${port}/livez`)).rejects.toThrow();
    await start({ port });
  });
});
