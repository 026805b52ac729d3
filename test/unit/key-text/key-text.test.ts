import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeBase62, randomBase62 } from '../../../src/key-text/base62.ts';
import { digestKey } from '../../../src/key-text/digest.ts';
import {
  DEFAULT_KEY_FORMAT,
  KEY_BODY_CHARS,
  type KeyFormat,
  keyPattern,
} from '../../../src/key-text/key-format.ts';
import { mintKey, mintSecret } from '../../../src/key-text/mint.ts';
import {
  displayStart,
  isKeyText,
  KEY_TEXT_BYTES_MAX,
  keyChecksum,
  readKeyText,
} from '../../../src/key-text/read.ts';

const FORMATS: readonly KeyFormat[] = [
  DEFAULT_KEY_FORMAT,
  { prefix: 'sk', separator: '_', environments: ['live', 'test'] },
  { prefix: 'cpx', separator: '.', environments: ['live'] },
  { prefix: 'my_own_prefix', separator: '-', environments: ['live', 'test', 'dev2'] },
  { prefix: 'a_live', separator: '_', environments: ['live', 'li'] },
];
const VISIBLE = Array.from({ length: 94 }, (_, index) => String.fromCharCode(0x21 + index));
const BASE62 = VISIBLE.filter((char) => /[0-9A-Za-z]/.test(char));

const formatAndEnvironment = fc.constantFrom(...FORMATS).chain((format) =>
  fc.record({
    format: fc.constant(format),
    environment: fc.constantFrom(...format.environments),
  }),
);

describe('minting', () => {
  it('every minted key parses to its own id and environment', () => {
    fc.assert(
      fc.property(formatAndEnvironment, ({ format, environment }) => {
        const key = mintKey(format, environment, randomBytes);
        expect(readKeyText(key.text, format)).toEqual({ kind: 'ours', id: key.id, environment });
        expect(key.text).toBe(
          `${format.prefix}_${environment}${format.separator}${key.text.slice(-KEY_BODY_CHARS)}`,
        );
        expect(key.digest).toBe(digestKey(key.text));
        expect(displayStart(key.text, format)).toBe(key.displayStart);
        expect(key.text.length - key.displayStart.length).toBe(36);
      }),
      { numRuns: 500 },
    );
  });

  it('never gives two keys one id or one secret', () => {
    const keys = Array.from({ length: 20_000 }, () =>
      mintKey(DEFAULT_KEY_FORMAT, 'live', randomBytes),
    );
    expect(new Set(keys.map(({ id }) => id)).size).toBe(keys.length);
    expect(new Set(keys.map(({ text }) => text.slice(18, 48))).size).toBe(keys.length);
  });

  it('a further secret keeps the id and shares nothing else', () => {
    const first = mintKey(DEFAULT_KEY_FORMAT, 'test', randomBytes);
    const second = mintSecret(DEFAULT_KEY_FORMAT, first, randomBytes);
    expect(second.id).toBe(first.id);
    expect(second.displayStart).toBe(first.displayStart);
    expect(second.text).not.toBe(first.text);
    expect(readKeyText(second.text, DEFAULT_KEY_FORMAT).kind).toBe('ours');
  });

  it('refuses an environment that the format does not have', () => {
    expect(() => mintKey(DEFAULT_KEY_FORMAT, 'prod', randomBytes)).toThrow(
      'environment "prod" is not one of the key format\'s: live, test',
    );
  });

  it('draws every character equally often: bytes that would favour some are thrown away', () => {
    const allBytes = Uint8Array.from({ length: 256 }, (_, byte) => byte);
    const supply = (size: number) => allBytes.subarray(256 - size);
    // The first draw offers the bytes 0 to 255 once each; 248 of them are four whole alphabets.
    const drawn = randomBase62(248, (size) => (size === 248 ? allBytes : supply(size)));
    const counts = new Map<string, number>();
    for (const char of drawn) counts.set(char, (counts.get(char) ?? 0) + 1);
    expect(counts.size).toBe(62);
    expect(new Set(counts.values())).toEqual(new Set([4]));
  });

  it('asks for more bytes when some were thrown away', () => {
    const sizes: number[] = [];
    const text = randomBase62(3, (size) => {
      sizes.push(size);
      return new Uint8Array(size).fill(sizes.length === 1 ? 255 : 61);
    });
    expect(sizes).toEqual([3, 3]);
    expect(text).toBe('zzz');
  });
});

describe('reading', () => {
  it('tells each change of one character from the key that was minted', () => {
    for (const format of FORMATS) {
      const { text } = mintKey(format, 'live', randomBytes);
      for (let index = 0; index < text.length; index += 1) {
        for (const char of BASE62) {
          if (char === text[index]) continue;
          const changed = text.slice(0, index) + char + text.slice(index + 1);
          expect(readKeyText(changed, format).kind, changed).not.toBe('ours');
        }
      }
    }
  });

  it('tells missing, further and swapped characters from the key that was minted', () => {
    const { text } = mintKey(DEFAULT_KEY_FORMAT, 'live', randomBytes);
    const kindOf = (changed: string) => readKeyText(changed, DEFAULT_KEY_FORMAT).kind;
    for (let index = 8; index <= text.length; index += 1) {
      expect(kindOf(text.slice(0, index) + text.slice(index + 1)), `without ${index}`).toBe(
        index === text.length ? 'ours' : 'mistyped',
      );
      expect(kindOf(`${text.slice(0, index)}A${text.slice(index)}`), `with ${index}`).toBe(
        'mistyped',
      );
      const [a = '', b = ''] = [text[index], text[index + 1]];
      if (a === b || b === '') continue;
      const swapped = text.slice(0, index) + b + a + text.slice(index + 2);
      expect(kindOf(swapped), `swapped ${index}`).toBe('mistyped');
    }
  });

  it('reads from the right: prefix and separator may look like the environment', () => {
    const format: KeyFormat = { prefix: 'a_live', separator: '_', environments: ['live', 'li'] };
    const live = mintKey(format, 'live', randomBytes);
    expect(readKeyText(live.text, format)).toMatchObject({ environment: 'live' });
    expect(live.text.startsWith('a_live_live_')).toBe(true);
  });

  const secret = 'A'.repeat(40);
  const withChecksum = (text: string) => text + keyChecksum(text);
  it.each<[title: string, text: string, kind: string]>([
    ['ours', withChecksum(`lk_live_${secret}`), 'ours'],
    ['another environment', withChecksum(`lk_prod_${secret}`), 'foreign'],
    ['another prefix', withChecksum(`sk_live_${secret}`), 'foreign'],
    ['another separator', withChecksum(`lk_live-${secret}`), 'foreign'],
    ['something in front', withChecksum(`xlk_live_${secret}`), 'foreign'],
    ['no secret', 'lk_live_', 'mistyped'],
    ['a dot in the secret', withChecksum(`lk_live_.${'A'.repeat(39)}`), 'mistyped'],
    ['a JWT', 'eyJhbGciOiJub25lIn0.e30.', 'foreign'],
    ['one character', 'x', 'foreign'],
    ['empty', '', 'malformed'],
    ['too long', 'x'.repeat(KEY_TEXT_BYTES_MAX + 1), 'malformed'],
    ['with a comma', 'a,b', 'malformed'],
    ['with a space', 'a b', 'malformed'],
    ['with quotes', '"a"', 'malformed'],
    ['with an apostrophe', "a'b", 'malformed'],
    ['with a line end', 'lk_live_x\n', 'malformed'],
    ['with a NUL', 'a\u0000', 'malformed'],
    ['with a byte beyond ASCII', 'caf\u00e9', 'malformed'],
  ])('%s', (_title, text, kind) => {
    expect(readKeyText(text, DEFAULT_KEY_FORMAT).kind).toBe(kind);
  });

  it('takes exactly the visible ASCII characters without comma and quotes, up to 512', () => {
    for (let code = 0; code < 0x100; code += 1) {
      const char = String.fromCharCode(code);
      expect(isKeyText(`a${char}`), `character ${code}`).toBe(
        VISIBLE.includes(char) && !`,"'`.includes(char),
      );
    }
    expect(isKeyText('x'.repeat(KEY_TEXT_BYTES_MAX))).toBe(true);
  });

  it('shows nothing of a text that is not ours', () => {
    expect(displayStart('foreign-secret-of-somebody', DEFAULT_KEY_FORMAT)).toBeUndefined();
    const { text } = mintKey(DEFAULT_KEY_FORMAT, 'live', randomBytes);
    expect(displayStart(text.slice(0, -1), DEFAULT_KEY_FORMAT)).toBeUndefined();
  });
});

describe('checksum and digest', () => {
  it('the checksum is CRC32 in six base62 characters', () => {
    // The check value of CRC-32/ISO-HDLC is 0xCBF43926 for "123456789".
    expect(keyChecksum('123456789')).toBe(encodeBase62(0xcbf43926, 6));
    expect(keyChecksum('')).toBe('000000');
    expect(encodeBase62(0xffffffff, 6)).toBe('4gfFC3');
    expect(encodeBase62(61, 1)).toBe('z');
    expect(encodeBase62(62, 1)).toBe('10');
  });

  it('the digest is SHA-256 of the whole text, base64url', () => {
    expect(digestKey('abc')).toBe('ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0');
  });
});

describe('the pattern for secret scanners', () => {
  it('finds every minted key within other text, whole', () => {
    fc.assert(
      fc.property(formatAndEnvironment, ({ format, environment }) => {
        const { text } = mintKey(format, environment, randomBytes);
        const found = `KEY_${text}; next`.match(new RegExp(keyPattern(format), 'g'));
        expect(found).toEqual([text]);
      }),
      { numRuns: 200 },
    );
  });

  it('takes the separator literally and does not find what is too long', () => {
    const format: KeyFormat = { prefix: 'cpx', separator: '.', environments: ['live'] };
    const pattern = new RegExp(keyPattern(format));
    expect(pattern.test(`cpx_live.${'A'.repeat(46)}`)).toBe(true);
    expect(pattern.test(`cpx_liveX${'A'.repeat(46)}`)).toBe(false);
    expect(pattern.test(`cpx_live.${'A'.repeat(47)}`)).toBe(false);
  });
});
