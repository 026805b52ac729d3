/**
 * `npm run check`: everything that a reader of a change should not have to look for. Every check runs, whatever the ones
 * before it found. `-- --write` writes the generated files first. Needs no network.
 */
import { join } from 'node:path';
import { findForbiddenWords } from './forbidden-words.ts';
import { findStaleFiles, writeGeneratedFiles } from './generated-files.ts';
import { inSeconds, ROOT, runCommand } from './run-command.ts';

interface Check {
  readonly name: string;
  /** Prints every finding and gives whether there was none. */
  readonly run: () => Promise<boolean>;
}

// `biome ci` colours its output wherever it goes, which makes a log unreadable.
const BIOME_OUTPUT = [
  '--error-on-warnings',
  '--max-diagnostics=none',
  ...(process.stderr.isTTY ? [] : ['--colors=off']),
];

const CHECKS: readonly Check[] = [
  {
    name: 'format, lint, imports',
    run: () => succeeds('@biomejs/biome/bin/biome', 'ci', ...BIOME_OUTPUT),
  },
  { name: 'types', run: () => succeeds('typescript/bin/tsc', '--noEmit') },
  { name: 'words of one machine', run: async () => isEmpty(await findForbiddenWords(ROOT)) },
  { name: 'generated files', run: async () => isEmpty(await findStaleFiles()) },
];

async function succeeds(script: string, ...args: readonly string[]): Promise<boolean> {
  const exitCode = await runCommand(process.execPath, [join('node_modules', script), ...args]);
  return exitCode === 0;
}

function isEmpty(findings: readonly string[]): boolean {
  for (const finding of findings) console.error(finding);
  return findings.length === 0;
}

async function main(): Promise<void> {
  if (process.argv.includes('--write')) await writeGeneratedFiles();
  const lines: string[] = [];
  for (const { name, run } of CHECKS) {
    const startedMs = performance.now();
    const passed = await run();
    const time = inSeconds(performance.now() - startedMs);
    lines.push(`${passed ? 'ok    ' : 'FAILED'} ${name.padEnd(24)}${time.padStart(8)}`);
    if (!passed) process.exitCode = 1;
  }
  console.log(`\n${lines.join('\n')}`);
}

await main();
