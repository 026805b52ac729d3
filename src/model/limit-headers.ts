import type { HeaderLine } from './answer.ts';
import type { Now } from './clock.ts';
import type { LimitReport } from './limit-memory.ts';
import { capacityOf, type Limit } from './plan.ts';

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
    { name: 'x-ratelimit-limit', value: String(capacityOf(tightest.limit)) },
    { name: 'x-ratelimit-remaining', value: String(tightest.remaining) },
    { name: 'x-ratelimit-reset', value: String(resetSeconds) },
    { name: 'ratelimit', value: listOf(reports, stateItem) },
    { name: 'ratelimit-policy', value: listOf(reports, policyItem) },
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
  return a.remaining * capacityOf(b.limit) < b.remaining * capacityOf(a.limit);
}

/** A list as RFC 9651 §3.1 writes it. Allowed requests pay for it, so it is put together without an array. */
function listOf(reports: readonly LimitReport[], itemOf: (report: LimitReport) => string): string {
  let list = '';
  for (const report of reports) list = list === '' ? itemOf(report) : `${list}, ${itemOf(report)}`;
  return list;
}

/** `t` must not lie beyond `Retry-After` (the draft's §5): a refused request is told when it would pass. */
function stateItem(report: LimitReport): string {
  const waitMs = report.retryAfterMs > 0 ? report.retryAfterMs : report.resetMs;
  const seconds = Math.ceil(waitMs / 1000);
  return `"${report.limit.name}";r=${report.remaining};t=${seconds}`;
}

/** The same for as long as the policy is. */
const policyItems = new WeakMap<Limit, string>();

function policyItem({ limit }: LimitReport): string {
  const known = policyItems.get(limit);
  if (known !== undefined) return known;
  const item = `"${limit.name}";q=${limit.quota};w=${Math.ceil(limit.windowMs / 1000)}`;
  policyItems.set(limit, item);
  return item;
}
