/** `npm run build`: dist/ anew, as the package ships it. */

import { globSync } from 'node:fs';
import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ROOT, runCommand } from './run-command.ts';

const DIST = join(ROOT, 'dist');

async function build(): Promise<number> {
  await rm(DIST, { recursive: true, force: true });
  const tsc = join('node_modules', 'typescript', 'bin', 'tsc');
  const exitCode = await runCommand(process.execPath, [tsc, '-p', 'tsconfig.build.json']);
  if (exitCode !== 0) return exitCode;
  for (const asset of assets()) await copyAsset(asset);
  // npm sets this bit for an installed package; a dist/ that is run where it was built needs it too.
  await chmod(join(DIST, 'main.js'), 0o755);
  return 0;
}

/** With the mode of a new file, as tsc's are: a checkout that only its owner can read must not become such an image. */
async function copyAsset(asset: string): Promise<void> {
  const target = join(DIST, asset);
  await mkdir(dirname(target), { recursive: true });
  await writeFile(target, await readFile(join(ROOT, 'src', asset)));
}

/** Everything under src/ that tsc leaves behind, such as the migrations. */
function assets(): readonly string[] {
  return globSync('**/*.*', { cwd: join(ROOT, 'src') }).filter((path) => !path.endsWith('.ts'));
}

process.exitCode = await build();
