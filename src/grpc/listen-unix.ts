import { lstatSync, type Stats, unlinkSync } from 'node:fs';
import { chmod, link, lstat, mkdtemp, rename, rm, unlink } from 'node:fs/promises';
import { connect, type Server } from 'node:net';
import { dirname, isAbsolute, join } from 'node:path';
import { errorCode, GrpcStartError } from './start-error.ts';

/** Owner and group may connect: latchkey and Envoy run as two users that share a group. */
const SOCKET_MODE_DEFAULT = 0o660;

/** `sockaddr_un.sun_path` without its final NUL: 107 on Linux, 103 on the BSDs and macOS. */
const SOCKET_PATH_BYTES_MAX = 103;

/** A rival may come and go between two looks at the path; more often than this it is no coincidence. */
const ATTEMPTS_MAX = 3;

export interface UnixListenAddress {
  /** Absolute; its folder must exist and be writable. Abstract sockets (`@name`) have no permissions and are refused. */
  readonly path: string;
  readonly mode?: number;
}

export interface BoundSocketFile {
  readonly replacedStale: boolean;
  /** Removes the socket file if it is still the one bound here. Call it while still listening. */
  remove(): void;
}

/**
 * Listens on a Unix socket that appears at its path complete: listening, and with its final mode.
 *
 * The socket is bound inside a private folder (0700), given its mode there, and then linked to its path. So there is no
 * moment at which it is open to more users, and a link, unlike a bind over a removed file, cannot replace somebody's
 * live socket. It also keeps libuv, which unlinks on close whatever lies at the path it had bound, from removing
 * the socket of a successor.
 *
 * @throws GrpcStartError when the path cannot be used, or a live process listens there.
 */
export async function listenUnix(
  server: Server,
  { path, mode = SOCKET_MODE_DEFAULT }: UnixListenAddress,
): Promise<BoundSocketFile> {
  requireUsablePath(path, mode);
  const folder = await privateFolderBeside(path);
  try {
    const bound = join(folder, 's');
    await listenAt(server, bound);
    try {
      await chmod(bound, mode);
      const own = await lstat(bound);
      const replacedStale = await publish(bound, path);
      return { replacedStale, remove: () => removeIfSame(path, own) };
    } catch (error) {
      server.close();
      throw error;
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function requireUsablePath(path: string, mode: number): void {
  if (!isAbsolute(path)) {
    throw new GrpcStartError(
      `the Unix socket path ${path} is not absolute: write it from the root, such as /run/latchkey/check.sock`,
    );
  }
  const bytes = Math.max(
    Buffer.byteLength(path),
    Buffer.byteLength(join(dirname(path), '.lkXXXXXX/s')),
  );
  if (bytes > SOCKET_PATH_BYTES_MAX) {
    throw new GrpcStartError(
      `the Unix socket path ${path} is too long: it takes ${bytes} bytes and the system allows ${SOCKET_PATH_BYTES_MAX}; choose a shorter folder`,
    );
  }
  if (!Number.isInteger(mode) || mode < 0 || mode > 0o777) {
    throw new GrpcStartError(`the mode of the Unix socket ${path} must lie between 000 and 777`);
  }
}

async function privateFolderBeside(path: string): Promise<string> {
  const folder = dirname(path);
  try {
    return await mkdtemp(join(folder, '.lk'));
  } catch (error) {
    const code = errorCode(error);
    const remedy =
      code === 'ENOENT' || code === 'ENOTDIR'
        ? 'it does not exist: create it, owned by the user that runs latchkey'
        : `${code}: the user that runs latchkey must be able to write there`;
    throw new GrpcStartError(`cannot put a Unix socket into the folder ${folder}: ${remedy}`, {
      cause: error,
    });
  }
}

const listenAt = (server: Server, path: string): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ path }, () => {
      server.off('error', reject);
      resolve();
    });
  });

/** Links `bound` to `path`. @returns whether a stale socket had to go first. */
async function publish(bound: string, path: string): Promise<boolean> {
  let replacedStale = false;
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    try {
      await link(bound, path);
      return replacedStale;
    } catch (error) {
      const code = errorCode(error);
      if (code !== 'EEXIST') {
        throw new GrpcStartError(`cannot put the Unix socket at ${path} (${code})`, {
          cause: error,
        });
      }
    }
    replacedStale = (await removeStale(path, `${bound}.old`)) || replacedStale;
  }
  throw inUse(path);
}

/** Removes what a dead process left at `path`. @returns whether there was anything. */
async function removeStale(path: string, aside: string): Promise<boolean> {
  const seen = await lstat(path).catch(undefinedIfAbsent);
  if (seen === undefined) return false;
  if (!seen.isSocket()) {
    throw new GrpcStartError(
      `${path} exists and is not a socket: remove it, or choose another path for the Unix socket`,
    );
  }
  if (await somebodyAccepts(path)) throw inUse(path);
  return removeIfStillThere(path, { seen, aside });
}

/**
 * Removes the file at `path` that was `seen` there. Since then a rival may have replaced it by its own live socket, and
 * no system call removes "this file or nothing": so what lies there is moved `aside` and compared, and a rival's
 * is put back. Exported for its test, which has to stand between the look and the removal.
 *
 * @throws GrpcStartError when a rival was faster.
 */
export async function removeIfStillThere(
  path: string,
  { seen, aside }: { readonly seen: Stats; readonly aside: string },
): Promise<boolean> {
  await rename(path, aside).catch(undefinedIfAbsent);
  const moved = await lstat(aside).catch(undefinedIfAbsent);
  if (moved === undefined) return false;
  if (!isSameFile(moved, seen)) {
    await link(aside, path);
    throw inUse(path);
  }
  await unlink(aside);
  return true;
}

/** A stopped or overloaded process still counts: only a refused connection proves that nobody is there. */
const somebodyAccepts = (path: string): Promise<boolean> =>
  new Promise((resolve, reject) => {
    const probe = connect({ path });
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', (error) => {
      const code = errorCode(error);
      if (code === 'ECONNREFUSED' || code === 'ENOENT') resolve(false);
      else if (code === 'EAGAIN') resolve(true);
      else {
        reject(
          new GrpcStartError(`cannot tell whether a process listens on ${path} (${code})`, {
            cause: error,
          }),
        );
      }
    });
  });

const inUse = (path: string): GrpcStartError =>
  new GrpcStartError(
    `another process listens on the Unix socket ${path}: stop it first, or give each sidecar a path of its own`,
  );

/** While the socket is open its inode belongs to no other file, so the comparison holds. */
function removeIfSame(path: string, own: Stats): void {
  try {
    if (isSameFile(lstatSync(path), own)) unlinkSync(path);
  } catch (error) {
    undefinedIfAbsent(error);
  }
}

const isSameFile = (one: Stats, other: Stats): boolean =>
  one.ino === other.ino && one.dev === other.dev;

function undefinedIfAbsent(error: unknown): undefined {
  if (errorCode(error) !== 'ENOENT') throw error;
}
