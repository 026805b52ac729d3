import type { Page, PageRequest } from '../accounts/ports.ts';
import { ok, type Result } from '../accounts/result.ts';
import { fields, type Reply, table } from './output.ts';

const PAGE_ITEMS = 500;
/** A million rows are no list for a terminal: beyond, filter. */
const PAGES_MAX = 2000;

/** What people are told of a record, in this order: the name of a field, which heads its column in a list, and its text. */
export type Columns<Item> = readonly (readonly [name: string, text: (item: Item) => string])[];

/** One record for people: its fields under one another. */
export function recordLines<Item>(record: Item, columns: Columns<Item>): string[] {
  return fields(columns.map(([name, text]) => [name, text(record)]));
}

/** The record that an option names; `undefined` where the option was not given. */
export async function filterBy<Found>(
  option: string | undefined,
  find: (text: string) => Promise<Result<Found>>,
): Promise<Result<Found | undefined>> {
  return option === undefined ? ok(undefined) : find(option);
}

/** All pages: a table for people, an array as JSON. */
export async function tellAll<Item>(
  reply: Reply,
  load: (page: PageRequest) => Promise<Page<Item>>,
  { columns, howToMake }: { readonly columns: Columns<Item>; readonly howToMake: string },
): Promise<number> {
  const { items, isCut } = await loadAll(load);
  if (isCut) reply.note(`Only the first ${items.length} are shown: ask for fewer with a filter.`);
  if (items.length === 0) reply.hint(`There is none. \`${howToMake}\` makes one.`);
  const head = columns.map(([name]) => name);
  const rows = items.map((item) => columns.map(([, text]) => text(item)));
  return reply.tell(items, table(head, rows));
}

interface Loaded<Item> {
  readonly items: readonly Item[];
  readonly isCut: boolean;
}

async function loadAll<Item>(
  load: (page: PageRequest) => Promise<Page<Item>>,
): Promise<Loaded<Item>> {
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
