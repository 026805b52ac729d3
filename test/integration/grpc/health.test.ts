import { Client, credentials, status } from '@grpc/grpc-js';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startServer, until } from './start-server.ts';

const AUTHORIZATION = 'envoy.service.auth.v3.Authorization';

describe('the health service', () => {
  it.each(['', AUTHORIZATION])('follows setServing for the service %j', async (service) => {
    const { server, client } = await startServer();
    const one = client();
    const seen: unknown[] = [await one.health(service)];
    for (const serving of [true, false, true]) {
      server.setServing(serving);
      seen.push(await one.health(service));
    }
    expect(seen).toEqual(
      ['NOT_SERVING', 'SERVING', 'NOT_SERVING', 'SERVING'].map((name) => ({
        kind: 'status',
        status: name,
      })),
    );
  });

  it('answers calls of Check while NOT_SERVING, so that the ones on their way are served', async () => {
    const { client } = await startServer();
    expect(await client().check(Buffer.of(1))).toMatchObject({ kind: 'reply' });
  });

  it('answers NOT_FOUND for a service that it does not offer', async () => {
    const { server, client } = await startServer();
    server.setServing(true);
    expect(await client().health('grpc.health.v1.Health')).toMatchObject({
      code: status.NOT_FOUND,
    });
  });

  it.each([
    ['a length beyond the end', [0x0a, 0x05, 0x61]],
    ['a group', [0x0b]],
    ['a service that is not UTF-8', [0x0a, 0x01, 0xff]],
  ])('answers INVALID_ARGUMENT to %s', async (_, bytes) => {
    const { client } = await startServer();
    const outcome = await client().check(Buffer.from(bytes), {
      path: '/grpc.health.v1.Health/Check',
    });
    expect(outcome).toMatchObject({ code: status.INVALID_ARGUMENT });
  });

  it('tells a watcher the status at once and at each change', async () => {
    const { server, client } = await startServer();
    const watch = client().watchHealth(AUTHORIZATION);
    await watch.reached('NOT_SERVING');
    server.setServing(true);
    await watch.reached('SERVING');
    server.setServing(true);
    server.setServing(false);
    await until('three statuses', () => watch.statuses.length >= 3);
    expect(watch.statuses).toEqual(['NOT_SERVING', 'SERVING', 'NOT_SERVING']);
  });

  it('tells a watcher of an unknown service so, and keeps the call open', async () => {
    const { server, client } = await startServer();
    const one = client();
    const watch = one.watchHealth('another.Service');
    await watch.reached('SERVICE_UNKNOWN');
    server.setServing(true);
    const known = one.watchHealth('');
    await known.reached('SERVING');
    expect(watch.statuses).toEqual(['SERVICE_UNKNOWN']);
  });

  it('bounds the watchers, and a watcher that leaves makes room', async () => {
    const { client } = await startServer({ limits: { healthWatchersMax: 2 } });
    const one = client();
    const first = one.watchHealth();
    const second = one.watchHealth();
    await Promise.all([first.reached('NOT_SERVING'), second.reached('NOT_SERVING')]);
    expect(await one.watchHealth().ended).toMatchObject({ code: status.RESOURCE_EXHAUSTED });
    first.cancel();
    await until('there is room again', () =>
      one
        .watchHealth()
        .reached('NOT_SERVING')
        .then(
          () => true,
          () => false,
        ),
    );
  });

  it('says NOT_SERVING and then ends every watch when the server drains', async () => {
    const { server, client } = await startServer();
    server.setServing(true);
    const watch = client().watchHealth();
    await watch.reached('SERVING');
    const { forcedConnections } = await server.drain({ graceMs: 5_000 });
    expect(forcedConnections).toBe(0);
    expect(await watch.ended).toMatchObject({ code: status.UNAVAILABLE });
    expect(watch.statuses).toEqual(['SERVING', 'NOT_SERVING']);
  });

  it('keeps no queue for a watcher that does not read, and gives it the latest status when it does', async () => {
    const { server } = await startServer();
    if (!('port' in server.address)) throw new Error('a TCP port was asked for');
    const client = new Client(`127.0.0.1:${server.address.port}`, credentials.createInsecure());
    onTestFinished(() => client.close());
    const call = client.makeServerStreamRequest(
      '/grpc.health.v1.Health/Watch',
      (bytes: Buffer) => bytes,
      (bytes: Buffer) => bytes,
      Buffer.alloc(0),
    );
    call.on('error', () => {});
    const statuses: number[] = [];
    call.on('data', (bytes: Buffer) => statuses.push(bytes.readUInt8(1)));
    await until('the first status', () => statuses.length === 1);
    call.pause();
    const flips = 100_001;
    for (let i = 0; i < flips; i++) server.setServing(i % 2 === 0);
    call.resume();
    await until('the latest status', () => statuses.at(-1) === 1);
    expect(statuses.length).toBeLessThan(flips / 100);
    call.cancel();
  });
});
