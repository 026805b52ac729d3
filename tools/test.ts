/**
 * `npm test [-- suite …]` and `npm run test:full`: every suite one after the other, then how long each took, and as the
 * last line how many tests passed and failed. A skipped test is a failure.
 */

import { globSync } from 'node:fs';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { floorNode } from '../test/support/node-floor.ts';
import { inSeconds, ROOT, runCommand } from './run-command.ts';
import { countSuite, isSuccess, type SuiteCounts, type VitestSummary } from './vitest-summary.ts';

interface Suite {
  readonly name: string;
  readonly project: string;
  /** The path of the Node that runs it. */
  readonly node: () => Promise<string>;
}

interface SuiteResult extends SuiteCounts {
  readonly name: string;
  readonly durationMs: number;
}

const SUMMARIES = join(ROOT, '.cache', 'test-results');

const onThisNode = async (): Promise<string> => process.execPath;

function allSuites(isFull: boolean): readonly Suite[] {
  const hasFullTests = globSync('test/full/**/*.test.ts', { cwd: ROOT }).length > 0;
  return [
    { name: 'unit', project: 'unit', node: onThisNode },
    { name: 'unit-floor', project: 'unit', node: () => floorNode(ROOT) },
    { name: 'integration', project: 'integration', node: onThisNode },
    { name: 'e2e', project: 'e2e', node: onThisNode },
    ...(isFull && hasFullTests ? [{ name: 'full', project: 'full', node: onThisNode }] : []),
  ];
}

async function runSuite(suite: Suite, env: NodeJS.ProcessEnv): Promise<SuiteResult> {
  const startedMs = performance.now();
  const summaryPath = join(SUMMARIES, `${suite.name}.json`);
  await rm(summaryPath, { force: true });
  console.log(`\n── ${suite.name}`);
  let exitCode = 1;
  try {
    exitCode = await runCommand(
      await suite.node(),
      [
        join('node_modules', 'vitest', 'vitest.mjs'),
        'run',
        ...['--project', suite.project],
        ...['--reporter', 'default', '--reporter', 'json', '--outputFile.json', summaryPath],
      ],
      env,
    );
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
  }
  const counts = countSuite(await readSummary(summaryPath), exitCode);
  return { name: suite.name, durationMs: performance.now() - startedMs, ...counts };
}

async function readSummary(path: string): Promise<VitestSummary | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch {
    return undefined;
  }
}

function printResults(results: readonly SuiteResult[]): void {
  const sum = (value: (result: SuiteResult) => number): number =>
    results.reduce((total, result) => total + value(result), 0);
  const line = (name: string, durationMs: number, counts: string): string =>
    `${name.padEnd(12)}${inSeconds(durationMs).padStart(9)}   ${counts}`.trimEnd();
  console.log('');
  for (const { name, durationMs, passed, failed, skipped } of results) {
    console.log(line(name, durationMs, `${passed} passed, ${failed} failed, ${skipped} skipped`));
  }
  const totalMs = sum((result) => result.durationMs);
  console.log(line('total', totalMs, ''));
  const skipped = sum((result) => result.skipped);
  if (skipped > 0) console.log(`${skipped} did not run: remove their skip, todo or only.`);
  // Programs look for this last line.
  console.log(`${sum((result) => result.passed)} passed, ${sum((result) => result.failed)} failed`);
}

async function main(args: readonly string[]): Promise<number> {
  const isFull = args.includes('--full');
  const suites = allSuites(isFull);
  const chosen = args.filter((arg) => arg !== '--full');
  const unknown = chosen.filter((name) => !suites.some((suite) => suite.name === name));
  if (unknown.length > 0) {
    const known = suites.map((suite) => suite.name).join(', ');
    console.error(`There is no test suite ${unknown.join(', ')}; choose from ${known}.`);
    return 2;
  }
  const env = isFull ? { ...process.env, LATCHKEY_TEST_FULL: '1' } : process.env;
  await mkdir(SUMMARIES, { recursive: true });
  const results: SuiteResult[] = [];
  for (const suite of suites) {
    if (chosen.length === 0 || chosen.includes(suite.name)) {
      results.push(await runSuite(suite, env));
    }
  }
  printResults(results);
  return results.every(isSuccess) ? 0 : 1;
}

process.exitCode = await main(process.argv.slice(2));
