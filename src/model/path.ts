/**
 * The path of a request as rules see it: segments in one canonical spelling, so that no second spelling of a path can
 * meet another rule. Whatever an upstream could read as a different path (RFC 3986 §5.2.4 dot segments, encoded
 * separators, `;` parameters, bytes that are no UTF-8, escapes of escapes) is refused instead of being guessed at.
 */
export type NormalisedPath =
  | {
      readonly kind: 'path';
      /** Without the separators; a trailing slash gives a last, empty segment. `/` is one empty segment. */
      readonly segments: readonly string[];
      /** What follows the first `?`, as it came. */
      readonly query: string | undefined;
    }
  | { readonly kind: 'malformed' };

/** Longer than real paths; it bounds the work that a client can ask for. The query, which is not read, is not counted. */
export const PATH_BYTES_MAX = 8 * 1024;
/** Deeper than real paths; it bounds the matcher. */
export const PATH_SEGMENTS_MAX = 256;

const MALFORMED: NormalisedPath = { kind: 'malformed' };

/**
 * What stands for itself in a segment: RFC 3986 `pchar` without `;`, which some upstreams cut paths at. Encoded, these
 * characters mean the same to every upstream (`:` and `%3A`), so they are decoded for matching.
 */
const PLAIN_CHARS =
  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,=:@";

/** `/` and plain characters only: nothing to decode, nothing to refuse but empty and dot segments. */
const PLAIN_PATH = /^\/[A-Za-z0-9\-._~!$&'()*+,=:@/]*$/;
/** No space, control or non-ASCII byte, and neither `#`, `;` nor `\`. */
const READABLE_PATH = /^\/[!"$-:<-[\]-~]*$/;
const READABLE_QUERY = /^[^\u0000-\u0020\u007f#]*$/;
const ESCAPED_ESCAPE = /%25([0-9A-Fa-f]{2})/g;

/** @param raw the request target in origin form, one character per byte, with its query. */
export function normalisePath(raw: string): NormalisedPath {
  const mark = raw.indexOf('?');
  const path = mark < 0 ? raw : raw.slice(0, mark);
  const query = mark < 0 ? undefined : raw.slice(mark + 1);
  if (path.length > PATH_BYTES_MAX) return MALFORMED;
  if (query !== undefined && !READABLE_QUERY.test(query)) return MALFORMED;
  const canonical = PLAIN_PATH.test(path) ? path : canonicalSpelling(path);
  if (canonical === undefined) return MALFORMED;
  const segments = splitSegments(canonical);
  return segments === undefined ? MALFORMED : { kind: 'path', segments, query };
}

function splitSegments(path: string): readonly string[] | undefined {
  if (path.includes('//')) return undefined;
  const segments = path.slice(1).split('/');
  if (segments.length > PATH_SEGMENTS_MAX) return undefined;
  if (!path.includes('/.')) return segments;
  return segments.includes('.') || segments.includes('..') ? undefined : segments;
}

/** The slow path: decodes what is plain, encodes what is not, refuses what is dangerous. */
function canonicalSpelling(path: string): string | undefined {
  if (!READABLE_PATH.test(path)) return undefined;
  let spelling = '';
  for (let index = 0; index < path.length; index += 1) {
    const code = path.charCodeAt(index);
    if (code === SLASH) {
      spelling += '/';
    } else if (code !== PERCENT) {
      spelling += code === DOT ? '.' : (SPELLINGS[code] ?? '');
    } else {
      const byte = hexByte(path, index + 1);
      const spelled = byte === undefined ? undefined : SPELLINGS[byte];
      if (spelled === undefined) return undefined;
      spelling += spelled;
      index += 2;
    }
  }
  return isUtf8(path) && !hidesAnotherPath(spelling) ? spelling : undefined;
}

const SLASH = 0x2f;
const DOT = 0x2e;
const PERCENT = 0x25;

/**
 * How a byte is spelled when it came encoded; `undefined`: it must not come encoded. An encoded control, dot, separator
 * or `;` means different paths to different upstreams.
 */
const SPELLINGS: readonly (string | undefined)[] = Array.from({ length: 256 }, (_, byte) => {
  const char = String.fromCharCode(byte);
  if (byte < 0x20 || byte === 0x7f || './\\;'.includes(char)) return undefined;
  if (PLAIN_CHARS.includes(char)) return char;
  return `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
});

/** An upstream that decodes twice would see another path than the rules did. */
function hidesAnotherPath(spelling: string): boolean {
  for (const [, digits = ''] of spelling.matchAll(ESCAPED_ESCAPE)) {
    const byte = Number.parseInt(digits, 16);
    const spelled = SPELLINGS[byte];
    if (byte === PERCENT || spelled === undefined || spelled.length === 1) return true;
  }
  return false;
}

/** The byte that two hexadecimal digits stand for; `undefined` where there are no two. */
export function hexByte(text: string, start: number): number | undefined {
  const high = hexDigit(text.charCodeAt(start));
  const low = hexDigit(text.charCodeAt(start + 1));
  return high === undefined || low === undefined ? undefined : high * 16 + low;
}

/** Takes the NaN beyond the end of a text for no digit. */
function hexDigit(code: number): number | undefined {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : undefined;
}

/** The escapes of a path, decoded together (RFC 3629: no overlong forms, no surrogates). */
function isUtf8(path: string): boolean {
  try {
    decodeURIComponent(path);
    return true;
  } catch {
    return false;
  }
}
