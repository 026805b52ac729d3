import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import {
  chown,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { identityOptions, type ServerBinaries } from './embedded-binaries.ts';
import { EmbeddedPostgresError } from './embedded-error.ts';
import type { ServerIdentity } from './embedded-identity.ts';
import { exists } from './files.ts';

const run = promisify(execFile);

/** A database cluster in the making. */
const STAGING_PREFIX = 'init-';

/** What the folder of an embedded server holds. */
export interface ServerFolder {
  readonly root: string;
  /** Postgres' own data directory. */
  readonly cluster: string;
  /** The superuser's password, mode 0600. */
  readonly passwordFile: string;
  /** The process id of the latchkey that started the server. */
  readonly ownerFile: string;
}

export function serverFolder(dataDir: string): ServerFolder {
  const root = resolve(dataDir);
  return {
    root,
    cluster: join(root, 'cluster'),
    passwordFile: join(root, 'password'),
    ownerFile: join(root, 'owner'),
  };
}

/** Makes the folder and the database cluster in it, unless they exist. Safe when two processes do it at once. */
export async function prepareFolder(
  folder: ServerFolder,
  binaries: ServerBinaries,
  identity: ServerIdentity,
): Promise<void> {
  if (await exists(join(folder.cluster, 'PG_VERSION'))) return;
  await makeFolder(folder.root);
  const strangers = (await readdir(folder.root)).filter((name) => !isOurs(name));
  if (strangers.length > 0) {
    throw new EmbeddedPostgresError(
      `${folder.root} holds other files (${strangers.slice(0, 3).join(', ')}) and no database. ` +
        'Name an empty or a new folder.',
    );
  }
  if (identity.uid !== undefined && identity.gid !== undefined) {
    await chown(folder.root, identity.uid, identity.gid);
    await requireReachable(folder.root, identity);
  }
  await removeAbandoned(folder);
  await initialise(folder, binaries, identity);
}

async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw new EmbeddedPostgresError(`The data folder cannot be made: ${textOf(cause)}`, { cause });
  }
}

/** Far longer than initdb takes: nobody is at work there any more. */
const ABANDONED_AFTER_MS = 600_000;

async function removeAbandoned(folder: ServerFolder): Promise<void> {
  for (const name of await readdir(folder.root)) {
    if (!name.startsWith(STAGING_PREFIX)) continue;
    const path = join(folder.root, name);
    const { mtimeMs } = await stat(path);
    if (Date.now() - mtimeMs > ABANDONED_AFTER_MS) await rm(path, { recursive: true, force: true });
  }
}

const isOurs = (name: string): boolean =>
  ['cluster', 'password', 'owner'].includes(name) || name.startsWith(STAGING_PREFIX);

/**
 * In a folder of its own that is renamed when it is whole: an interrupted initdb is never taken for a database, and of
 * two at once one wins.
 */
async function initialise(
  folder: ServerFolder,
  binaries: ServerBinaries,
  identity: ServerIdentity,
): Promise<void> {
  const staging = await mkdtemp(join(folder.root, STAGING_PREFIX));
  const ownership = identityOptions(identity);
  try {
    const passwordFile = join(staging, 'password');
    const cluster = join(staging, 'cluster');
    await writeFile(passwordFile, `${randomBytes(32).toString('base64url')}\n`, { mode: 0o600 });
    if (ownership.uid !== undefined && ownership.gid !== undefined) {
      await chown(staging, ownership.uid, ownership.gid);
      await chown(passwordFile, ownership.uid, ownership.gid);
    }
    await run(binaries.initdb, initdbArguments(cluster, passwordFile), {
      ...ownership,
      cwd: '/',
      env: { LC_ALL: 'C' },
    });
    await rename(cluster, folder.cluster);
    // Only the winner gets here, so the password is that of the cluster.
    await rename(passwordFile, folder.passwordFile);
  } catch (cause) {
    if (await exists(folder.passwordFile)) return;
    throw new EmbeddedPostgresError(
      `Could not make a database in ${folder.root}: ${textOf(cause)}`,
      {
        cause,
      },
    );
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

function initdbArguments(cluster: string, passwordFile: string): string[] {
  return [
    `--pgdata=${cluster}`,
    '--username=postgres',
    `--pwfile=${passwordFile}`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    '--locale-provider=builtin',
    '--locale=C.UTF-8',
    '--no-instructions',
  ];
}

/** Says which folder is in the way; initdb would only say "permission denied". */
async function requireReachable(path: string, identity: ServerIdentity): Promise<void> {
  for (let parent = dirname(path); ; parent = dirname(parent)) {
    const { mode, uid, gid } = await stat(parent);
    const bit = uid === identity.uid ? 0o100 : gid === identity.gid ? 0o010 : 0o001;
    if ((mode & bit) === 0) {
      throw new EmbeddedPostgresError(
        `Postgres runs as the user "postgres", who may not enter ${parent} and so cannot reach ${path}. ` +
          'Name a folder elsewhere (below /var/lib, for example), or start latchkey as another user.',
      );
    }
    if (parent === dirname(parent)) return;
  }
}

/** The server's process, when one runs on this folder. */
export async function runningServerPid(folder: ServerFolder): Promise<number | undefined> {
  const pid = await readPid(pidFile(folder));
  return pid !== undefined && (await isServer(folder, pid)) ? pid : undefined;
}

/**
 * Removes the note of a server that is gone where Postgres itself would be deceived by it: the number in it belongs to
 * another process by now, or to one that has ended and was not yet taken note of. Plainly stale notes it replaces.
 */
export async function removeStalePidFile(folder: ServerFolder): Promise<void> {
  const pid = await readPid(pidFile(folder));
  if (pid === undefined || !takesSignals(pid) || (await isServer(folder, pid))) return;
  await rm(pidFile(folder), { force: true });
}

const pidFile = (folder: ServerFolder): string => join(folder.cluster, 'postmaster.pid');

/** Postgres works in its data directory; a process that works elsewhere merely got the same number. */
async function isServer(folder: ServerFolder, pid: number): Promise<boolean> {
  if (!isAlive(pid)) return false;
  const workingDir = await readlink(`/proc/${pid}/cwd`).catch(() => undefined);
  return workingDir === undefined || workingDir === folder.cluster;
}

export async function readPid(file: string): Promise<number | undefined> {
  const text = await readFile(file, 'utf8').catch(() => '');
  const pid = Number(text.split('\n', 1)[0]);
  return Number.isSafeInteger(pid) && pid > 0 ? pid : undefined;
}

export function isAlive(pid: number): boolean {
  // One that has ended and waits for its parent to notice still takes signals (proc(5): the state follows the name).
  return takesSignals(pid) && !/\) Z /.test(readOrEmpty(`/proc/${pid}/stat`));
}

function takesSignals(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function textOf(error: unknown): string {
  if (error instanceof Error && 'stderr' in error && typeof error.stderr === 'string') {
    return error.stderr.trim().split('\n').slice(-3).join(' ');
  }
  return error instanceof Error ? error.message : String(error);
}
