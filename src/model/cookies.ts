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

/** The `Cookie` header without the cookies of these names; `''` when nothing is left. */
export function withoutCookies(slot: HeaderSlot, names: readonly string[]): string {
  const kept: string[] = [];
  for (const line of linesOf(slot)) {
    for (const pair of line.split(';')) {
      const text = pair.trim();
      if (text !== '' && !names.includes(nameOf(pair))) kept.push(text);
    }
  }
  return kept.join('; ');
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
