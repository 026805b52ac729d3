import type { Page, PageRequest } from '../accounts/ports.ts';

/** A page is read whole into memory, here and by whoever shows it. */
const PAGE_LIMIT_MAX = 1_000;

/** The last two values of a paged statement: `id > $n` (when not null) and `LIMIT $m`, one row more than the page. */
export function pageValues({ afterId, limit }: PageRequest): [string | null, number] {
  return [afterId ?? null, pageLimit(limit) + 1];
}

/** The row beyond the page only tells that there is a next one. */
export function pageOf<T extends { readonly id: string }>(
  rows: readonly T[],
  { limit }: PageRequest,
): Page<T> {
  const items = rows.slice(0, pageLimit(limit));
  const isLast = rows.length <= items.length;
  return { items, nextAfterId: isLast ? null : (items.at(-1)?.id ?? null) };
}

function pageLimit(limit: number): number {
  return Math.min(PAGE_LIMIT_MAX, Math.max(1, Math.trunc(limit)));
}
