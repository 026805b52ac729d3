import { randomBytes } from 'node:crypto';
import { DEFAULT_KEY_FORMAT, KEY_BODY_CHARS, keyHead } from '../../../src/key-text/key-format.ts';
import { type MintedKey, mintKey } from '../../../src/key-text/mint.ts';

/** `lk_live_`, id, secret and checksum. */
export const KEY_TEXT_CHARS: number = keyHead(DEFAULT_KEY_FORMAT, 'live').length + KEY_BODY_CHARS;

/** Keys as `latchkey keys create` makes them. */
export function mintLiveKey(): MintedKey {
  return mintKey(DEFAULT_KEY_FORMAT, 'live', pooledRandomBytes);
}

/** A call to the system for each key would take longer than all the rest. */
const POOL_BYTES = 64 * 1024;
let pool = randomBytes(POOL_BYTES);
let used = 0;

function pooledRandomBytes(size: number): Uint8Array {
  if (used + size > pool.length) {
    pool = randomBytes(POOL_BYTES);
    used = 0;
  }
  used += size;
  return pool.subarray(used - size, used);
}
