import type { Page, PageRequest } from '../accounts/ports.ts';

const PAGE_ITEMS = 500;
/** A million rows are no list for a terminal: beyond, filter. */
const PAGES_MAX = 2000;

export async function listAll<T>(
  load: (page: PageRequest) => Promise<Page<T>>,
): Promise<readonly T[]> {
  const all: T[] = [];
  let afterId: string | undefined;
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const { items, nextAfterId } = await load({ afterId, limit: PAGE_ITEMS });
    all.push(...items);
    if (nextAfterId === null) break;
    afterId = nextAfterId;
  }
  return all;
}
