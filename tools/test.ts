/**
 * `npm test [-- suite …]`, `npm run test:envoys` and `npm run test:full`: the suites of test-suites.ts one after the other,
 * then how long each took, and as the last line how many tests passed and failed. A skipped test is a failure.
 */

import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { floorNode } from '../test/support/node-floor.ts';
import { inSeconds, ROOT, runCommand } from './run-command.ts';
import { chosenSuites, type Suite } from './test-suites.ts';
import { countSuite, isSuccess, type SuiteCounts, type VitestSummary } from './vitest-summary.ts';

interface SuiteResult extends SuiteCounts {
  readonly name: string;
  readonly durationMs: number;
}

const SUMMARIES = join(ROOT, '.cache', 'test-results');

async function runSuite(suite: Suite): Promise<SuiteResult> {
  const startedMs = performance.now();
  const summaryPath = join(SUMMARIES, `${suite.name}.json`);
  await rm(summaryPath, { force: true });
  console.log(`\n── ${suite.name}`);
  const exitCode = await runVitest(suite, summaryPath).catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    return 1;
  });
  const counts = countSuite(await readSummary(summaryPath), exitCode);
  return { name: suite.name, durationMs: performance.now() - startedMs, ...counts };
}

async function runVitest(suite: Suite, summaryPath: string): Promise<number> {
  if (suite.needsBuild) {
    const buildCode = await runCommand(process.execPath, [join('tools', 'build.ts')]);
    if (buildCode !== 0) return buildCode;
  }
  return runCommand(
    suite.node === 'floor' ? await floorNode(ROOT) : process.execPath,
    [
      join('node_modules', 'vitest', 'vitest.mjs'),
      'run',
      ...['--project', suite.project],
      ...(suite.without ?? []).flatMap((path) => ['--exclude', path]),
      ...['--reporter', 'default', '--reporter', 'json', '--outputFile.json', summaryPath],
    ],
    { ...process.env, ...suite.env },
  );
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
    `${name.padEnd(14)}${inSeconds(durationMs).padStart(9)}   ${counts}`.trimEnd();
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
  let suites: readonly Suite[];
  try {
    suites = chosenSuites(args);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    return 2;
  }
  await mkdir(SUMMARIES, { recursive: true });
  const results: SuiteResult[] = [];
  for (const suite of suites) results.push(await runSuite(suite));
  printResults(results);
  return results.every(isSuccess) ? 0 : 1;
}

process.exitCode = await main(process.argv.slice(2));
