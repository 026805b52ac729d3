import type { Page, PageRequest } from '../accounts/ports.ts';
import { type Reply, table } from './output.ts';

const PAGE_ITEMS = 500;
/** A million rows are no list for a terminal: beyond, filter. */
const PAGES_MAX = 2000;

export interface Listed<Item> {
  readonly items: readonly Item[];
  readonly isCut: boolean;
}

export async function listAll<Item>(
  load: (page: PageRequest) => Promise<Page<Item>>,
): Promise<Listed<Item>> {
  const items: Item[] = [];
  let afterId: string | undefined;
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const loaded = await load({ afterId, limit: PAGE_ITEMS });
    items.push(...loaded.items);
    if (loaded.nextAfterId === null) return { items, isCut: false };
    afterId = loaded.nextAfterId;
  }
  return { items, isCut: true };
}

/** A table for people, an array as JSON. */
export function tellList<Item>(
  reply: Reply,
  { items, isCut }: Listed<Item>,
  shown: { readonly head: readonly string[]; readonly row: (item: Item) => readonly string[] },
): number {
  if (isCut) reply.note(`Only the first ${items.length} are shown: ask for fewer with a filter.`);
  return reply.tell(items, table(shown.head, items.map(shown.row)));
}
