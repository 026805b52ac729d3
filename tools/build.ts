/** `npm run build`: dist/ anew, as the package ships it. */

import { globSync } from 'node:fs';
import { chmod, cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ROOT, runCommand } from './run-command.ts';

const DIST = join(ROOT, 'dist');

async function build(): Promise<number> {
  await rm(DIST, { recursive: true, force: true });
  const tsc = join('node_modules', 'typescript', 'bin', 'tsc');
  const exitCode = await runCommand(process.execPath, [tsc, '-p', 'tsconfig.build.json']);
  if (exitCode !== 0) return exitCode;
  for (const asset of assets()) await cp(join(ROOT, 'src', asset), join(DIST, asset));
  // npm sets this bit for an installed package; a dist/ that is run where it was built needs it too.
  await chmod(join(DIST, 'main.js'), 0o755);
  return 0;
}

/** Everything under src/ that tsc leaves behind, such as the migrations. */
function assets(): readonly string[] {
  return globSync('**/*.*', { cwd: join(ROOT, 'src') }).filter((path) => !path.endsWith('.ts'));
}

process.exitCode = await build();
