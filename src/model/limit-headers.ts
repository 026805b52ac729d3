import type { HeaderLine } from './answer.ts';
import type { Now } from './clock.ts';
import type { LimitReport } from './limit-memory.ts';

/** RFC 9110 §10.2.3: whole seconds, rounded up so that a client that waits this long passes; at least 1. */
export function retryAfterSeconds(retryAfterMs: number): number {
  return Math.max(1, Math.ceil(retryAfterMs / 1000));
}

/**
 * The limits as they stand: `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-10) name each,
 * `X-RateLimit-*` tells the tightest. `X-RateLimit-Reset` is epoch seconds or seconds from now, as the policy says.
 */
export function limitHeaders(
  reports: readonly LimitReport[],
  now: Now,
  resetAs: 'epoch' | 'delta',
): HeaderLine[] {
  const tightest = tightestOf(reports);
  if (tightest === undefined) return [];
  const resetSeconds =
    resetAs === 'epoch'
      ? Math.ceil((now.wallMs + tightest.resetMs) / 1000)
      : Math.ceil(tightest.resetMs / 1000);
  return [
    { name: 'x-ratelimit-limit', value: String(capacityOf(tightest)) },
    { name: 'x-ratelimit-remaining', value: String(tightest.remaining) },
    { name: 'x-ratelimit-reset', value: String(resetSeconds) },
    { name: 'ratelimit', value: reports.map(stateItem).join(', ') },
    { name: 'ratelimit-policy', value: reports.map(policyItem).join(', ') },
  ];
}

/** A refusing limit first, then the one with the smallest share left. */
function tightestOf(reports: readonly LimitReport[]): LimitReport | undefined {
  let tightest: LimitReport | undefined;
  for (const report of reports) {
    if (tightest === undefined || isTighter(report, tightest)) tightest = report;
  }
  return tightest;
}

function isTighter(a: LimitReport, b: LimitReport): boolean {
  if (a.retryAfterMs !== b.retryAfterMs) return a.retryAfterMs > b.retryAfterMs;
  return a.remaining * capacityOf(b) < b.remaining * capacityOf(a);
}

/** `remaining` counts down from the burst under GCRA: showing the quota beside it would not add up. */
function capacityOf({ limit }: LimitReport): number {
  return limit.algorithm === 'gcra' ? limit.burst : limit.quota;
}

/** `t` must not lie beyond `Retry-After` (the draft's §5): a refused request is told when it would pass. */
function stateItem(report: LimitReport): string {
  const waitMs = report.retryAfterMs > 0 ? report.retryAfterMs : report.resetMs;
  const seconds = Math.ceil(waitMs / 1000);
  return `"${report.limit.name}";r=${report.remaining};t=${seconds}`;
}

function policyItem({ limit }: LimitReport): string {
  return `"${limit.name}";q=${limit.quota};w=${Math.ceil(limit.windowMs / 1000)}`;
}
