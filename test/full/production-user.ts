import { constants } from 'node:fs';
import { chmod, chown, copyFile, lstat, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type StartedProcess, startProcess } from '../support/child-process.ts';
import { until } from '../support/until.ts';

/** The number that the image gives its user. On most machines it has no name and no home. */
const USER = 10_001;

const IS_ROOT = process.getuid?.() === 0;

/** As whom `ProductionUser` starts programs, for the titles of tests. */
export const WHO = IS_ROOT ? `user ${USER}` : 'whoever runs this test, who is not root';

/** Where everybody may write, and nothing of latchkey's may be found afterwards. */
const OPEN_FOLDERS = [tmpdir(), '/tmp', '/var/tmp', '/dev/shm'];

const START_TIMEOUT_MS = 30_000;

/** Somebody with no home and no name, who may write to the folder of the socket and to that of temporary files. */
export interface ProductionUser {
  /** A folder that all may read, for what a test puts there. */
  readonly place: string;
  readonly socketFolder: string;
  /** One more that it may write in, to see whether a program does. */
  readonly tmpFolder: string;
  /** Starts a program of this user in `/`, without a folder for temporary files. `node` is this process's own; nothing else is on the path. */
  start(command: readonly string[], variables: Readonly<Record<string, string>>): StartedProcess;
  /** Those of these files and folders, and of what is in them, that the user may write to. */
  writable(paths: readonly string[]): Promise<readonly string[]>;
  /** What the user owns where everybody may write. */
  leftovers(): Promise<readonly string[]>;
  remove(): Promise<void>;
}

export async function createProductionUser(): Promise<ProductionUser> {
  const place = await mkdtemp(join(tmpdir(), 'latchkey-production-'));
  await chmod(place, 0o755);
  const socketFolder = join(place, 'run');
  const tmpFolder = join(place, 'tmp');
  for (const folder of [socketFolder, tmpFolder]) {
    await mkdir(folder, { mode: 0o700 });
    if (IS_ROOT) await chown(folder, USER, USER);
  }
  // The checkout, and the Node in it, may lie where nobody else may go.
  const node = join(place, 'bin', 'node');
  await mkdir(join(place, 'bin'));
  await copyFile(process.execPath, node, constants.COPYFILE_FICLONE);
  await chmod(node, 0o755);
  const identity = IS_ROOT ? { uid: USER, gid: USER } : {};
  const start: ProductionUser['start'] = ([command = '', ...args], variables) =>
    startProcess(command === 'node' ? node : command, args, {
      // A library that wants a temporary file has to fail here, as it would on a read-only root.
      env: { PATH: join(place, 'bin'), TMPDIR: '/nonexistent', ...variables },
      cwd: '/',
      ...identity,
    });
  return {
    ...{ place, socketFolder, tmpFolder, start },
    async writable(paths) {
      const asked = start(['node', '-e', TELL_WRITABLE, ...paths], {});
      const { code } = await asked.exited;
      if (code !== 0) throw new Error(asked.stderr().join('\n'));
      return asked.stdout();
    },
    leftovers: async () => (IS_ROOT ? ownedBy(USER, OPEN_FOLDERS) : []),
    remove: () => rm(place, { recursive: true, force: true }),
  };
}

const TELL_WRITABLE = `
const { accessSync, constants, lstatSync, readdirSync } = require('node:fs');
const { join } = require('node:path');
const look = (path) => {
  const stat = lstatSync(path);
  if (stat.isSymbolicLink()) return;
  try {
    accessSync(path, constants.W_OK);
    console.log(path);
  } catch {}
  if (stat.isDirectory()) for (const name of readdirSync(path)) look(join(path, name));
};
process.argv.slice(1).forEach(look);`;

async function ownedBy(uid: number, folders: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const folder of new Set(folders)) {
    for (const name of await readdir(folder).catch(() => [])) {
      const path = join(folder, name);
      const stat = await lstat(path).catch(() => undefined);
      if (stat?.uid === uid) found.push(path);
    }
  }
  return found;
}

/** Waits for the log line that says where a server listens, and gives its admin address. */
export async function whenServing(server: StartedProcess): Promise<string> {
  const ended = server.exited.then(({ code }) => {
    throw new Error(
      `it ended with ${code}:\n${[...server.stderr(), ...server.stdout()].join('\n')}`,
    );
  });
  ended.catch(() => {});
  let admin: unknown;
  const serving = until(
    'it serves',
    () => {
      const line = server.stdout().find((text) => text.includes('"message":"serving"'));
      admin = line === undefined ? undefined : JSON.parse(line).admin;
      return admin !== undefined;
    },
    START_TIMEOUT_MS,
  );
  await Promise.race([serving, ended]);
  return `http://${String(admin)}`;
}
