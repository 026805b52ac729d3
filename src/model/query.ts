/** One parameter of a query string. `rawName` is as sent: Envoy removes a parameter by its raw spelling only. */
export interface QueryParameter {
  readonly rawName: string;
  /** `undefined`: the escapes are broken. */
  readonly name: string | undefined;
  readonly rawValue: string;
}

/** Split at `&` only, as Envoy does (source/common/http/utility.cc); names decoded once. */
export function queryParameters(query: string | undefined): readonly QueryParameter[] {
  if (query === undefined || query === '') return [];
  return query.split('&').map((part) => {
    const equals = part.indexOf('=');
    const rawName = equals < 0 ? part : part.slice(0, equals);
    return {
      rawName,
      name: decodeForm(rawName),
      rawValue: equals < 0 ? '' : part.slice(equals + 1),
    };
  });
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
