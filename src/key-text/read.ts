import { crc32 } from 'node:zlib';
import type { KeyId } from '../model/ids.ts';
import { encodeBase62 } from './base62.ts';
import {
  KEY_BODY_CHARS,
  KEY_CHECKSUM_CHARS,
  KEY_ID_CHARS,
  type KeyFormat,
  keyHead,
} from './key-format.ts';

/** Longer than the keys of any vendor; what is longer is refused before anything is computed from it. */
export const KEY_TEXT_BYTES_MAX = 512;

/** Visible ASCII without what lists, quoting and headers use for themselves: comma, space and quotes. */
const KEY_TEXT = /^[!#-&(-+\--~]+$/;
const BASE62 = /^[0-9A-Za-z]+$/;

/** What a text tells about itself, without looking anything up. */
export type KeyTextReading =
  | { readonly kind: 'ours'; readonly id: KeyId; readonly environment: string }
  /** It begins as our keys do, but a character is wrong, missing or too many. */
  | { readonly kind: 'mistyped' }
  | { readonly kind: 'foreign' }
  /** No key at all: empty, too long, or with characters that no key holds. */
  | { readonly kind: 'malformed' };

/** Could this be the text of any key, ours or foreign? */
export function isKeyText(text: string): boolean {
  return text.length <= KEY_TEXT_BYTES_MAX && KEY_TEXT.test(text);
}

export function readKeyText(text: string, format: KeyFormat): KeyTextReading {
  return keyTextReader(format)(text);
}

/** `readKeyText` for one format, with what the format decides computed once. */
export function keyTextReader(format: KeyFormat): (text: string) => KeyTextReading {
  const environmentByHead = new Map(
    format.environments.map((environment) => [keyHead(format, environment), environment]),
  );
  const heads = [...environmentByHead.keys()];
  return (text) => {
    if (!isKeyText(text)) return { kind: 'malformed' };
    const bodyStart = text.length - KEY_BODY_CHARS;
    const environment = bodyStart > 0 ? environmentByHead.get(text.slice(0, bodyStart)) : undefined;
    if (environment === undefined) {
      return { kind: heads.some((head) => text.startsWith(head)) ? 'mistyped' : 'foreign' };
    }
    if (!BASE62.test(text.slice(bodyStart)) || !checksumHolds(text)) return { kind: 'mistyped' };
    // The id of a text whose checksum holds: the border where a KeyId is parsed.
    const id = text.slice(bodyStart, bodyStart + KEY_ID_CHARS) as KeyId;
    return { kind: 'ours', id, environment };
  };
}

/** What of a key may be shown and logged: everything before the secret. `undefined` for a text that is not ours. */
export function displayStart(text: string, format: KeyFormat): string | undefined {
  if (readKeyText(text, format).kind !== 'ours') return undefined;
  return text.slice(0, text.length - KEY_BODY_CHARS + KEY_ID_CHARS);
}

/** CRC32 of everything before it: tells a mistyped key from an unknown one, and keeps nobody out who can compute it. */
export function keyChecksum(textBeforeIt: string): string {
  return encodeBase62(crc32(textBeforeIt), KEY_CHECKSUM_CHARS);
}

function checksumHolds(text: string): boolean {
  const checksumStart = text.length - KEY_CHECKSUM_CHARS;
  return keyChecksum(text.slice(0, checksumStart)) === text.slice(checksumStart);
}
