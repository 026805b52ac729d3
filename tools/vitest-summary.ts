/** What one run of Vitest amounts to. */
export interface SuiteCounts {
  readonly passed: number;
  readonly failed: number;
  /** Tests that exist and did not run: skipped, todo, or hidden by an `.only`. */
  readonly skipped: number;
}

/** The fields that are read of the file which Vitest's json reporter writes. */
export interface VitestSummary {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
}

/**
 * Adds up one run. A run that ended badly without a failed test (a file that does not load, an unhandled rejection, a
 * crash that left no summary), or that ran nothing, counts as one failure: otherwise the last line would say "0 failed".
 */
export function countSuite(summary: VitestSummary | undefined, exitCode: number): SuiteCounts {
  const passed = summary?.numPassedTests ?? 0;
  const failed = summary?.numFailedTests ?? 0;
  const endedBadly = exitCode !== 0 || passed === 0;
  return {
    passed,
    failed: failed === 0 && endedBadly ? 1 : failed,
    skipped: (summary?.numPendingTests ?? 0) + (summary?.numTodoTests ?? 0),
  };
}

/** A skipped test is one that protects nothing while looking as if it did. */
export function isSuccess(counts: SuiteCounts): boolean {
  return counts.failed === 0 && counts.skipped === 0;
}
