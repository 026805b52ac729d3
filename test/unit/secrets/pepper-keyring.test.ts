import { Buffer } from 'node:buffer';
import { createHash, createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { PepperKeyring } from '../../../src/secrets/pepper-keyring.ts';

const plain = createHash('sha256').update('sk_live_text').digest();
const first = { version: 1, key: Buffer.alloc(32, 1) };
const second = { version: 2, key: Buffer.alloc(48, 2) };
const hmac = (key: Uint8Array) => createHmac('sha256', key).update(plain).digest();

describe('a keyring', () => {
  it('without peppers knows digests as they are', () => {
    const keyring = new PepperKeyring([]);
    expect(keyring.storedDigests(plain)).toEqual([{ pepperVersion: 0, bytes: plain }]);
    expect(keyring.storedDigestForNew(plain)).toEqual({ pepperVersion: 0, bytes: plain });
  });

  it('finds what was stored under the current pepper, an older one, or none, in this order', () => {
    for (const peppers of [
      [first, second],
      [second, first],
    ]) {
      expect(new PepperKeyring(peppers).storedDigests(plain)).toEqual([
        { pepperVersion: 2, bytes: hmac(second.key) },
        { pepperVersion: 1, bytes: hmac(first.key) },
        { pepperVersion: 0, bytes: plain },
      ]);
    }
  });

  it('stores what is new under the current pepper', () => {
    const keyring = new PepperKeyring([first, second]);
    expect(keyring.storedDigestForNew(plain)).toEqual({
      pepperVersion: 2,
      bytes: hmac(second.key),
    });
  });

  it('is HMAC-SHA-256 as RFC 4231 defines it', () => {
    // The pepper is wider than in test case 1 of the RFC, so the vector was computed by openssl.
    const keyring = new PepperKeyring([{ version: 1, key: Buffer.alloc(32, 0x0b) }]);
    const { bytes } = keyring.storedDigestForNew(Buffer.alloc(32, 0x61));
    expect(Buffer.from(bytes).toString('hex')).toBe(
      '8ad0719ef348b8b3d9d647cf3b39d33c0656892293a9f3fc0e9e3ec6eadfefb6',
    );
  });

  it.each([
    ['a version of 0', [{ version: 0, key: first.key }], /from 1 to 32767/],
    ['a version beyond a smallint', [{ version: 32_768, key: first.key }], /from 1 to 32767/],
    ['a version that is no whole number', [{ version: 1.5, key: first.key }], /from 1 to 32767/],
    ['a version twice', [first, { ...second, version: 1 }], /version 1 is given twice/],
    [
      'a short pepper',
      [{ version: 3, key: Buffer.alloc(31, 7) }],
      /version 3 has 31 bytes.*at least 32/,
    ],
  ])('refuses %s and says why, without the pepper', (_, peppers, message) => {
    const make = () => new PepperKeyring(peppers);
    expect(make).toThrow(TypeError);
    expect(make).toThrow(message);
  });

  it('refuses a digest of another width', () => {
    expect(() => new PepperKeyring([]).storedDigests(Buffer.alloc(20))).toThrow(/32 bytes/);
    expect(() => new PepperKeyring([first]).storedDigestForNew(Buffer.alloc(33))).toThrow(
      /32 bytes/,
    );
  });

  it('shows no pepper when it is printed', () => {
    const { inspect } = process.getBuiltinModule('node:util');
    const text = inspect(new PepperKeyring([second]), { depth: 9, showHidden: true });
    expect(text).not.toMatch(/02 ?02/);
  });
});
