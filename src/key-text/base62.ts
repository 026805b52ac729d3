/** Digits, then capitals, then small letters: the order of ASCII, so texts sort as their numbers do. */
const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const BASE = ALPHABET.length;

/** The largest multiple of 62 in a byte: values from here on would make the first digits likelier than the others. */
const UNBIASED_VALUES = 256 - (256 % BASE);

/** Gives `size` random bytes. */
export type RandomBytes = (size: number) => Uint8Array;

/** `length` base62 characters, each equally likely. */
export function randomBase62(length: number, randomBytes: RandomBytes): string {
  let text = '';
  while (text.length < length) {
    // About one byte in 32 is thrown away; what is missing is drawn in the next round.
    for (const byte of randomBytes(length - text.length)) {
      if (byte < UNBIASED_VALUES) text += ALPHABET.charAt(byte % BASE);
    }
  }
  return text;
}

/** A non-negative integer in base62, with leading zeros up to `width`. */
export function encodeBase62(value: number, width: number): string {
  let text = '';
  let rest = value;
  do {
    text = ALPHABET.charAt(rest % BASE) + text;
    rest = Math.floor(rest / BASE);
  } while (rest > 0);
  return text.padStart(width, '0');
}
