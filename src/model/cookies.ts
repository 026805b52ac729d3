import type { HeaderSlot } from './request.ts';

/** Every value of one cookie name, over all `Cookie` lines, as sent (RFC 6265 §4.2.1; quotes are part of the value). */
export function cookieValues(slot: HeaderSlot, name: string): readonly string[] {
  const values: string[] = [];
  for (const line of linesOf(slot)) {
    for (const pair of line.split(';')) {
      if (nameOf(pair) === name) values.push(pair.slice(pair.indexOf('=') + 1).trim());
    }
  }
  return values;
}

/** The `Cookie` header without the cookies of these names: `undefined` if it has none of them, `''` when nothing is left. */
export function withoutCookies(slot: HeaderSlot, names: readonly string[]): string | undefined {
  const pairs = linesOf(slot).flatMap((line) => line.split(';'));
  const kept = pairs.map((pair) => withoutNamed(pair, names));
  if (kept.every((text, index) => text === pairs[index])) return undefined;
  return kept
    .map((text) => text.trim())
    .filter((text) => text !== '')
    .join('; ');
}

/** Envoy's map of headers joins lines by a comma: a cookie may begin after one, and its value is then all that follows. */
function withoutNamed(pair: string, names: readonly string[]): string {
  const pieces = pair.split(',');
  const first = pieces.findIndex((piece) => names.includes(nameOf(piece)));
  return first < 0 ? pair : pieces.slice(0, first).join(',');
}

/** Blanks around the name are dropped, as servers do: otherwise `sid =x` would slip past us and still be read upstream. */
function nameOf(pair: string): string {
  const equals = pair.indexOf('=');
  return equals < 0 ? '' : pair.slice(0, equals).trim();
}

function linesOf(slot: HeaderSlot): readonly string[] {
  if (slot === undefined) return [];
  return typeof slot === 'string' ? [slot] : slot;
}
