import { readdirSync, statSync } from 'node:fs';
import { lstat, readdir, readFile, rename, unlink, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { removeIfStillThere } from '../../../src/grpc/listen-unix.ts';
import { FRAME, rawConnection } from './raw-http2.ts';
import { ANSWER, heldHandler, startServer, temporaryFolder, until } from './start-server.ts';

const REQUEST = Buffer.from('a request');
const REPLY = { kind: 'reply', bytes: new Uint8Array(ANSWER) };

const permissions = async (path: string) => ((await lstat(path)).mode & 0o777).toString(8);

const listenPlainly = (path: string): Promise<Server> =>
  new Promise((resolve) => {
    const server = createServer((socket) => socket.resume());
    onTestFinished(() => {
      server.close();
    });
    server.listen({ path }, () => resolve(server));
  });

/** What a killed process leaves: a socket file behind which nobody listens. */
async function leaveStale(path: string): Promise<void> {
  const server = await listenPlainly(path);
  // A clean close would unlink the path it had bound; it finds nothing there.
  await rename(path, `${path}.kept`);
  await new Promise((resolve) => server.close(resolve));
  await rename(`${path}.kept`, path);
}

describe('a Unix socket', () => {
  it.each([
    [undefined, '660'],
    [0o600, '600'],
    [0o666, '666'],
  ])(
    'of mode %s has it whatever the umask, and nothing else stays in its folder',
    async (mode, expected) => {
      const previous = process.umask(0);
      onTestFinished(() => {
        process.umask(previous);
      });
      const folder = await temporaryFolder();
      const path = join(folder, 'check.sock');
      const { client } = await startServer({
        listen: mode === undefined ? { path } : { path, mode },
      });
      expect(await permissions(path)).toBe(expected);
      expect(await readdir(folder)).toEqual(['check.sock']);
      expect(await client().check(REQUEST)).toEqual(REPLY);
    },
  );

  it('is at no moment open to more users than in the end', async () => {
    const previous = process.umask(0);
    onTestFinished(() => {
      process.umask(previous);
    });
    const folder = await temporaryFolder();
    const reachable = new Set<string>();
    let watching = true;
    const watch = () => {
      for (const path of socketsUnder(folder)) reachable.add(path);
      if (watching) setImmediate(watch);
    };
    watch();
    await startServer({ listen: { path: join(folder, 'check.sock') } });
    watching = false;
    expect([...reachable]).toEqual(['660 check.sock']);
  });

  it('replaces what a dead process left, and says so', async () => {
    const path = join(await temporaryFolder(), 'check.sock');
    await leaveStale(path);
    const { client, events } = await startServer({ listen: { path } });
    expect(await client().check(REQUEST)).toEqual(REPLY);
    expect(events).toEqual([{ kind: 'stale_socket_replaced', path }]);
  });

  it('is refused where a live process listens, which goes on', async () => {
    const path = join(await temporaryFolder(), 'check.sock');
    const first = await startServer({ listen: { path } });
    await expect(startServer({ listen: { path } })).rejects.toThrow(
      `another process listens on the Unix socket ${path}`,
    );
    expect(await first.client().check(REQUEST)).toEqual(REPLY);
    expect(await readdir(dirname(path))).toEqual(['check.sock']);
  });

  it('is refused where a file lies that is no socket, and leaves it untouched', async () => {
    const path = join(await temporaryFolder(), 'check.sock');
    await writeFile(path, 'precious');
    await expect(startServer({ listen: { path } })).rejects.toThrow(
      `${path} exists and is not a socket`,
    );
    expect(await readFile(path, 'utf8')).toBe('precious');
  });

  it.each([
    [
      'whose folder is missing',
      '/nonexistent-folder/check.sock',
      /folder.*does not exist: create it/,
    ],
    ['whose folder is a file', '/etc/hostname/check.sock', /folder \/etc\/hostname/],
    ['that is relative', 'check.sock', /not absolute/],
    ['that is abstract', '@latchkey', /not absolute/],
    ['that is too long', `/tmp/${'a'.repeat(200)}`, /too long.*shorter folder/],
  ])('%s is refused with what to do', async (_, path, message) => {
    await expect(startServer({ listen: { path } })).rejects.toThrow(message);
  });

  it('is owned by exactly one of several processes that start over the same stale file', async () => {
    const folder = await temporaryFolder();
    for (let round = 0; round < 20; round++) {
      const path = join(folder, `${round}.sock`);
      await leaveStale(path);
      const starts = await Promise.allSettled(
        [1, 2, 3].map((name) => startServer({ listen: { path }, handler: () => Buffer.of(name) })),
      );
      const winners = starts.flatMap((start, i) =>
        start.status === 'fulfilled' ? [{ name: i + 1, ...start.value }] : [],
      );
      expect(winners).toHaveLength(1);
      expect(await winners[0]?.client().check(REQUEST)).toEqual({
        kind: 'reply',
        bytes: Uint8Array.of(winners[0]?.name ?? 0),
      });
    }
  });

  it('of a rival that was faster is put back, when a stale one was about to be removed', async () => {
    const folder = await temporaryFolder();
    const path = join(folder, 'check.sock');
    await leaveStale(path);
    const seen = await lstat(path);
    const rival = await startServer({ listen: { path } });
    await expect(removeIfStillThere(path, { seen, aside: join(folder, 'old') })).rejects.toThrow(
      `another process listens on the Unix socket ${path}`,
    );
    expect(await rival.client().check(REQUEST)).toEqual(REPLY);
  });

  it('disappears as soon as the drain begins, so that a successor can take the path meanwhile', async () => {
    const path = join(await temporaryFolder(), 'check.sock');
    const held = heldHandler();
    const first = await startServer({ listen: { path }, handler: held.handler });
    const waiting = first.client().check(REQUEST);
    await until('the call is held', () => held.held === 1);
    const drained = first.server.drain({ graceMs: 5_000 });
    await until('the path is free', async () => (await readdir(dirname(path))).length === 0);
    const second = await startServer({ listen: { path }, handler: () => Buffer.of(2) });
    held.release();
    expect(await waiting).toEqual(REPLY);
    expect(await drained).toEqual({ forcedConnections: 0 });
    // The end of the first has not taken the second one's file along.
    expect(await second.client().check(REQUEST)).toEqual({
      kind: 'reply',
      bytes: Uint8Array.of(2),
    });
  });

  it('is not removed on stop when it has become somebody else’s', async () => {
    const path = join(await temporaryFolder(), 'check.sock');
    const first = await startServer({ listen: { path } });
    await unlink(path);
    const second = await startServer({ listen: { path }, handler: () => Buffer.of(2) });
    await first.server.drain({ graceMs: 1_000 });
    expect(await second.client().check(REQUEST)).toEqual({
      kind: 'reply',
      bytes: Uint8Array.of(2),
    });
  });

  it('resets nobody who had connected when the drain began: they are told to go elsewhere', async () => {
    const path = join(await temporaryFolder(), 'check.sock');
    const { server } = await startServer({ listen: { path } });
    // Within one turn of the event loop: the system has connected them, and the server has not accepted one yet.
    const connecting = Array.from({ length: 20 }, () => rawConnection(server.address));
    const drained = server.drain({ graceMs: 5_000 });
    for (const raw of await Promise.all(connecting)) {
      await raw.received('GOAWAY', ({ type }) => type === FRAME.goaway);
    }
    expect(await drained).toEqual({ forcedConnections: 0 });
  });
});

/** `mode name` of every socket below `folder` that another user could reach: not inside a folder of mode 0700. */
function socketsUnder(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    try {
      const { mode } = statSync(path);
      if (entry.isDirectory()) return (mode & 0o077) === 0 ? [] : socketsUnder(path);
      return [`${(mode & 0o777).toString(8)} ${entry.name}`];
    } catch {
      // Gone between the two looks.
      return [];
    }
  });
}
