import { hexByte } from './path.ts';

/** One parameter of a query string, as sent: Envoy removes a parameter by its raw spelling only. */
export interface QueryParameter {
  readonly rawName: string;
  readonly rawValue: string;
}

/**
 * The parameters of this name (unreserved characters, RFC 3986 §2.3) in whatever spelling, escapes decoded once. Split at `&`
 * only, as Envoy does (source/common/http/utility.cc). Nothing is made of the others: a client may send tens of thousands.
 */
export function parametersNamed(
  query: string | undefined,
  name: string,
): readonly QueryParameter[] {
  if (query === undefined) return [];
  const found: QueryParameter[] = [];
  for (let start = 0; start < query.length; ) {
    // Not indexOf: a call for each of many short parameters costs more than the walk.
    let end = start;
    while (end < query.length && query.charCodeAt(end) !== AMPERSAND) end += 1;
    const nameEnd = endOfSpelling(query, start, name);
    if (nameEnd === end || query.charCodeAt(nameEnd) === EQUALS) {
      found.push({
        rawName: query.slice(start, nameEnd),
        rawValue: query.slice(Math.min(nameEnd + 1, end), end),
      });
    }
    start = end + 1;
  }
  return found;
}

const PERCENT = 0x25;
const AMPERSAND = 0x26;
const EQUALS = 0x3d;

/** Where a spelling of `name` that begins at `start` ends; -1: there is none. */
function endOfSpelling(text: string, start: number, name: string): number {
  let at = start;
  for (let index = 0; index < name.length; index += 1) {
    const isEscape = text.charCodeAt(at) === PERCENT;
    const code = isEscape ? hexByte(text, at + 1) : text.charCodeAt(at);
    if (code !== name.charCodeAt(index)) return -1;
    at += isEscape ? 3 : 1;
  }
  return at;
}

/** application/x-www-form-urlencoded, once: `+` is a space. The result is a byte string; `undefined` for a broken escape. */
export function decodeForm(text: string): string | undefined {
  if (!text.includes('%') && !text.includes('+')) return text;
  if (/%(?![0-9A-Fa-f]{2})/.test(text)) return undefined;
  return text
    .replaceAll('+', ' ')
    .replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) =>
      String.fromCharCode(Number.parseInt(hex, 16)),
    );
}
