import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { normalisePath, PATH_BYTES_MAX, PATH_SEGMENTS_MAX } from '../../../src/model/path.ts';

const segmentsOf = (raw: string) => {
  const path = normalisePath(raw);
  return path.kind === 'path' ? path.segments : path.kind;
};

describe('a path has one spelling for matching', () => {
  it.each<[raw: string, segments: readonly string[]]>([
    ['/', ['']],
    ['/a', ['a']],
    ['/a/', ['a', '']],
    ['/a/b/c', ['a', 'b', 'c']],
    ['/Admin', ['Admin']],
    ['/admin.', ['admin.']],
    ['/.well-known/x', ['.well-known', 'x']],
    ['/...', ['...']],
    ['/%61dmin', ['admin']],
    ['/%41%7E%2D%5f', ['A~-_']],
    ['/items%3Aarchive', ['items:archive']],
    ['/a%2Bb%40%2c%3D%24%26%21%28%29%2A%27', ["a+b@,=$&!()*'"]],
    ['/caf%c3%a9', ['caf%C3%A9']],
    ['/%e2%82%ac/%F0%9F%98%80', ['%E2%82%AC', '%F0%9F%98%80']],
    ['/a%20b', ['a%20b']],
    ['/a|b/{x}', ['a%7Cb', '%7Bx%7D']],
    ['/a%7cb/%7Bx%7D', ['a%7Cb', '%7Bx%7D']],
    ['/100%25', ['100%25']],
    ['/100%25zz', ['100%25zz']],
    ['/50%2520off', ['50%2520off']],
    ['/%3f%23', ['%3F%23']],
  ])('%s', (raw, segments) => {
    expect(segmentsOf(raw)).toEqual(segments);
  });

  it('leaves the query as it came and decides nothing by it', () => {
    expect(normalisePath('/a?b=%2e%2e/../;//')).toEqual({
      kind: 'path',
      segments: ['a'],
      query: 'b=%2e%2e/../;//',
    });
    expect(normalisePath('/a?')).toEqual({ kind: 'path', segments: ['a'], query: '' });
    expect(normalisePath('/a?b?c')).toMatchObject({ query: 'b?c' });
    expect(normalisePath('/a')).toMatchObject({ query: undefined });
  });

  it('takes a path of exactly the greatest length and depth, with a query of any length', () => {
    expect(segmentsOf(`/${'a'.repeat(PATH_BYTES_MAX - 1)}?${'q'.repeat(50_000)}`)).toHaveLength(1);
    expect(segmentsOf('/a'.repeat(PATH_SEGMENTS_MAX))).toHaveLength(PATH_SEGMENTS_MAX);
  });
});

describe('a path that an upstream could read as another one is refused', () => {
  const controls = Array.from({ length: 0x21 }, (_, code) => code).concat(0x7f, 0x80, 0xff);
  it.each<[raw: string]>([
    [''],
    ['*'],
    ['a'],
    ['?'],
    ['http://host/a'],
    ['//'],
    ['//admin'],
    ['///'],
    ['/a//b'],
    ['/a//'],
    ['/.'],
    ['/..'],
    ['/./admin'],
    ['/x/../admin'],
    ['/a/.'],
    ['/%2e%2e/admin'],
    ['/%2E/'],
    ['/.%2e/admin'],
    ['/file%2etxt'],
    ['/admin%2fx'],
    ['/admin%2Fx'],
    ['/a%5cb'],
    ['/a\\b'],
    ['/a%00'],
    ['/a%0d%0aX:%20y'],
    ['/a%7f'],
    ['/admin;x=1'],
    ['/admin;/..'],
    ['/admin%3bx'],
    ['/a#b'],
    ['/a?b#c'],
    ['/a?b c'],
    ['/%'],
    ['/%4'],
    ['/%zz'],
    ['/%c0%af'],
    ['/%c0%80'],
    ['/%e0%80%af'],
    ['/%ed%a0%80'],
    ['/%f4%90%80%80'],
    ['/%ff'],
    ['/%c3'],
    ['/%c3/%a9'],
    ['/%a9'],
    ['/%252e%252e/admin'],
    ['/%252E'],
    ['/%252f'],
    ['/%255c'],
    ['/%2500'],
    ['/%2525'],
    ['/%253b'],
    ['/%2561dmin'],
    ['/%25%36%31dmin'],
    ['/%25%32e'],
  ])('%j', (raw) => {
    expect(segmentsOf(raw)).toBe('malformed');
  });

  it('longer or deeper than the bounds', () => {
    expect(segmentsOf(`/${'a'.repeat(PATH_BYTES_MAX)}`)).toBe('malformed');
    expect(segmentsOf('/a'.repeat(PATH_SEGMENTS_MAX + 1))).toBe('malformed');
  });

  it('for every control, space and non-ASCII byte', () => {
    for (const code of controls) {
      expect(segmentsOf(`/a${String.fromCharCode(code)}b`), `byte ${code}`).toBe('malformed');
    }
  });
});

/** Written from the rules, byte by byte, without regard to speed: what `normalisePath` is held against. */
function slowModel(raw: string): readonly string[] | 'malformed' {
  const path = raw.split('?')[0] ?? '';
  if (/[\u0000-\u0020\u007f#]/.test(raw.slice(path.length + 1))) return 'malformed';
  if (!path.startsWith('/') || path.length > PATH_BYTES_MAX) return 'malformed';
  const pieces = path.slice(1).split('/');
  if (pieces.length > PATH_SEGMENTS_MAX) return 'malformed';
  const spelled = pieces.map((piece, index) => {
    if (piece === '' && index < pieces.length - 1) return 'malformed//';
    return slowSegment(piece) ?? 'malformed//';
  });
  return spelled.includes('malformed//') ? 'malformed' : spelled;
}

function slowSegment(piece: string): string | undefined {
  if (piece === '.' || piece === '..') return undefined;
  const bytes: { readonly byte: number; readonly escaped: boolean }[] = [];
  for (let rest = piece; rest !== ''; ) {
    const hex = /^%([0-9a-fA-F]{2})/.exec(rest);
    if (hex === null && rest.startsWith('%')) return undefined;
    bytes.push({
      byte: hex === null ? rest.charCodeAt(0) : Number(`0x${hex[1]}`),
      escaped: hex !== null,
    });
    rest = rest.slice(hex === null ? 1 : 3);
  }
  for (const { byte, escaped } of bytes) {
    if (byte < 0x20 || byte === 0x7f) return undefined;
    if (!escaped && (byte >= 0x80 || ' #;\\'.includes(String.fromCharCode(byte)))) return undefined;
    if (escaped && './\\;'.includes(String.fromCharCode(byte))) return undefined;
  }
  const decoded = Uint8Array.from(bytes, ({ byte }) => byte);
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(decoded);
  } catch {
    return undefined;
  }
  const spelled = [...decoded].map(spell).join('');
  for (let index = spelled.indexOf('%25'); index >= 0; index = spelled.indexOf('%25', index + 1)) {
    const digits = spelled.slice(index + 3, index + 5);
    if (!/^[0-9a-fA-F]{2}$/.test(digits)) continue;
    const again = Number(`0x${digits}`);
    const matters = again < 0x20 || again === 0x7f || '%/\\;'.includes(String.fromCharCode(again));
    if (matters || spell(again).length === 1) return undefined;
  }
  return spelled;
}

function spell(byte: number): string {
  const char = String.fromCharCode(byte);
  if (/[A-Za-z0-9]/.test(char) || "-._~!$&'()*+,=:@".includes(char)) return char;
  return `%${`0${byte.toString(16)}`.slice(-2).toUpperCase()}`;
}

/** Texts rich in what matters here; plain random text would hardly ever hold an escape. */
const rawPath = fc
  .array(
    fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom('a', 'B', '7', '-', '.', '~', ':', '/', '|') },
      { weight: 3, arbitrary: fc.constantFrom('%61', '%2B', '%25', '%c3%a9', '%20', '%7B', '%zz') },
      fc.constantFrom(
        '..',
        '//',
        '%2e',
        '%2F',
        ';',
        '%3b',
        '%00',
        '%5C',
        '%32',
        'e',
        '61',
        '?',
        '#',
      ),
      fc.nat(255).map((byte) => `%${byte.toString(16).padStart(2, '0')}`),
      fc.nat(255).map((code) => String.fromCharCode(code)),
    ),
    { maxLength: 12 },
  )
  .map((parts) => `/${parts.join('')}`);

describe('properties', () => {
  it('agrees with the slow model on any path', () => {
    fc.assert(
      fc.property(rawPath, (raw) => {
        expect(segmentsOf(raw)).toEqual(slowModel(raw));
      }),
      { numRuns: 20_000 },
    );
  });

  it('a canonical path is its own canonical path', () => {
    fc.assert(
      fc.property(rawPath, (raw) => {
        const segments = segmentsOf(raw);
        fc.pre(segments !== 'malformed' && !raw.includes('?'));
        expect(segmentsOf(`/${segments.join('/')}`)).toEqual(segments);
      }),
      { numRuns: 5_000 },
    );
  });

  it('the fast path and the slow path agree: one escaped letter changes nothing', () => {
    const plain = fc.stringMatching(/^[A-Za-z0-9\-_~:@]{1,8}$/);
    fc.assert(
      fc.property(fc.array(plain, { minLength: 1, maxLength: 6 }), plain, (segments, last) => {
        const escaped = `%${last.charCodeAt(0).toString(16)}${last.slice(1)}`;
        expect(segmentsOf(`/${[...segments, escaped].join('/')}`)).toEqual([...segments, last]);
      }),
    );
  });
});
