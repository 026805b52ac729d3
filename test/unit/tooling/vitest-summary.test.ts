import { describe, expect, it } from 'vitest';
import { countSuite, isSuccess, type VitestSummary } from '../../../tools/vitest-summary.ts';

function summary(counts: Partial<VitestSummary>): VitestSummary {
  return { numPassedTests: 0, numFailedTests: 0, numPendingTests: 0, numTodoTests: 0, ...counts };
}

describe('a suite counts as passed only when all of its tests ran and passed', () => {
  it.each([
    {
      title: 'all passed',
      run: summary({ numPassedTests: 3 }),
      exitCode: 0,
      counts: { passed: 3, failed: 0, skipped: 0 },
      success: true,
    },
    {
      title: 'some failed',
      run: summary({ numPassedTests: 3, numFailedTests: 2 }),
      exitCode: 1,
      counts: { passed: 3, failed: 2, skipped: 0 },
      success: false,
    },
    {
      title: 'one skipped, which Vitest takes for success',
      run: summary({ numPassedTests: 3, numPendingTests: 1 }),
      exitCode: 0,
      counts: { passed: 3, failed: 0, skipped: 1 },
      success: false,
    },
    {
      title: 'one todo, which Vitest takes for success',
      run: summary({ numPassedTests: 3, numTodoTests: 1 }),
      exitCode: 0,
      counts: { passed: 3, failed: 0, skipped: 1 },
      success: false,
    },
    {
      title: 'a file did not load or a rejection went unhandled',
      run: summary({ numPassedTests: 3 }),
      exitCode: 1,
      counts: { passed: 3, failed: 1, skipped: 0 },
      success: false,
    },
    {
      title: 'no test at all',
      run: summary({}),
      exitCode: 0,
      counts: { passed: 0, failed: 1, skipped: 0 },
      success: false,
    },
    {
      title: 'a crash that left no summary',
      run: undefined,
      exitCode: 0,
      counts: { passed: 0, failed: 1, skipped: 0 },
      success: false,
    },
  ])('$title', ({ run, exitCode, counts, success }) => {
    expect(countSuite(run, exitCode)).toEqual(counts);
    expect(isSuccess(counts)).toBe(success);
  });
});
