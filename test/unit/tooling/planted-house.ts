import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const ROOT = join(import.meta.dirname, '../../..');

/** What the linter needs of the repository, besides the sources. */
const CONFIGURATION = ['biome.json', 'package.json', 'tsconfig.json', 'tools/import-spelling.grit'];

const REPORT_BYTES_MAX = 64 * 1024 * 1024;

export interface Finding {
  /** The rule, such as `lint/style/noRestrictedImports`. */
  readonly category: string;
  readonly path: string;
  /** From 1. */
  readonly line: number;
}

/**
 * Lints made-up files in a folder tree of their own, under the repository's configuration, in one run.
 * @param files from a path such as `src/model/planted.ts` to the text of the file.
 */
export async function lintPlanted(files: ReadonlyMap<string, string>): Promise<readonly Finding[]> {
  const house = await realpath(await mkdtemp(join(tmpdir(), 'latchkey-planted-')));
  try {
    for (const path of CONFIGURATION) await cp(join(ROOT, path), join(house, path));
    for (const [path, text] of files) {
      await mkdir(dirname(join(house, path)), { recursive: true });
      await writeFile(join(house, path), text);
    }
    return parseReport(await biomeReport(house));
  } finally {
    await rm(house, { recursive: true });
  }
}

/** Biome's exit code says only whether there were findings; a run that broke has no report to parse. */
function biomeReport(house: string): Promise<string> {
  const biome = join(ROOT, 'node_modules/@biomejs/biome/bin/biome');
  const args = [biome, 'lint', '--reporter=json', '--max-diagnostics=none'];
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      args,
      { cwd: house, maxBuffer: REPORT_BYTES_MAX },
      (_error, stdout) => resolve(stdout),
    );
  });
}

interface Report {
  readonly diagnostics: readonly {
    readonly category: string;
    readonly location: { readonly path: string; readonly start: { readonly line: number } };
  }[];
}

function parseReport(text: string): readonly Finding[] {
  const report: Report = JSON.parse(text);
  return report.diagnostics.map(({ category, location }) => ({
    category,
    path: location.path,
    line: location.start.line,
  }));
}
