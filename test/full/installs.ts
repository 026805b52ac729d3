import { execFile } from 'node:child_process';
import { cp, mkdir, readdir, readFile, stat, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A build and an installation, on a machine that does other things as well. */
export const INSTALL_TIMEOUT_MS = 300_000;

const npm = (args: readonly string[], cwd: string) =>
  run('npm', [...args], { cwd, timeout: INSTALL_TIMEOUT_MS });

/** The npm package, installed as its users do. */
export interface InstalledPackage {
  readonly tarball: string;
  /** The folder that it was installed in. */
  readonly tree: string;
  /** The package itself in there. */
  readonly contents: string;
}

/** What a checkout has besides what is in git. */
const NO_PART_OF_A_CHECKOUT: ReadonlySet<string> = new Set([
  '.cache',
  '.git',
  'dist',
  'node_modules',
]);

/** Builds and packs a copy of the repository, and installs the package in an empty folder. */
export async function installPackage(repository: string, place: string): Promise<InstalledPackage> {
  const checkout = join(place, 'checkout');
  await mkdir(checkout);
  for (const name of await readdir(repository)) {
    if (NO_PART_OF_A_CHECKOUT.has(name)) continue;
    await cp(join(repository, name), join(checkout, name), { recursive: true });
  }
  await symlink(join(repository, 'node_modules'), join(checkout, 'node_modules'));
  await npm(['run', 'build'], checkout);
  const { stdout } = await npm(['pack', '--json', '--pack-destination', place], checkout);
  const tarball = join(place, JSON.parse(stdout)[0].filename);
  const tree = join(place, 'installed');
  await mkdir(tree);
  // Without scripts: whatever needs one at its installation will not work.
  const options = ['--omit=dev', '--omit=optional', '--ignore-scripts', '--prefer-offline'];
  await npm(['install', ...options, tarball], tree);
  return { tarball, tree, contents: join(tree, 'node_modules', 'latchkey') };
}

/** Nobody may write to it any more, not even its owner. */
export async function makeReadOnly(tree: string): Promise<void> {
  await run('chmod', ['-R', 'a-w', tree]);
}

/** Before it can be removed by whoever is not root. */
export async function makeWritable(tree: string): Promise<void> {
  await run('chmod', ['-R', 'u+w', tree]);
}

/** Every file and link under a folder, by its path from there. */
export async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .toSorted();
}

/** The sum of the sizes of its files. */
export async function bytesIn(folder: string): Promise<number> {
  const sizes = (await filesIn(folder)).map(async (file) => (await stat(join(folder, file))).size);
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

export interface Dependency {
  readonly dev?: boolean;
  readonly optional?: boolean;
  /** Of development, and of something optional as well. */
  readonly devOptional?: boolean;
}

/** The dependencies that a lock file knows, by the folder of each; the file that npm leaves in node_modules is one too. */
export async function lockedDependencies(lockFile: string): Promise<Map<string, Dependency>> {
  const { packages } = JSON.parse(await readFile(lockFile, 'utf8'));
  const folders = Object.entries<Dependency>(packages);
  return new Map(folders.filter(([folder]) => folder.startsWith('node_modules/')));
}
