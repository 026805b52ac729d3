import type { Digest, KeyId } from '../model/ids.ts';
import { type RandomBytes, randomBase62 } from './base62.ts';
import { digestKey } from './digest.ts';
import { KEY_ID_CHARS, KEY_SECRET_CHARS, type KeyFormat, keyHead } from './key-format.ts';
import { keyChecksum } from './read.ts';

/** A key as it is handed out, once. Only `id`, `displayStart`, `environment` and `digest` may be kept. */
export interface MintedKey {
  /** The secret text itself. */
  readonly text: string;
  readonly id: KeyId;
  readonly environment: string;
  /** What lists and logs may show: everything before the secret. */
  readonly displayStart: string;
  readonly digest: Digest;
}

/** A new key with a new id. `environment` must be one of the format's. */
export function mintKey(
  format: KeyFormat,
  environment: string,
  randomBytes: RandomBytes,
): MintedKey {
  // The one place where a KeyId is made up.
  const id = randomBase62(KEY_ID_CHARS, randomBytes) as KeyId;
  return mintSecret(format, { environment, id }, randomBytes);
}

/** A further secret for a key that rotates: the id stays. */
export function mintSecret(
  format: KeyFormat,
  key: { readonly environment: string; readonly id: KeyId },
  randomBytes: RandomBytes,
): MintedKey {
  const { environment, id } = key;
  if (!format.environments.includes(environment)) {
    throw new RangeError(
      `environment ${JSON.stringify(environment)} is not one of the key format's: ${format.environments.join(', ')}`,
    );
  }
  const start = keyHead(format, environment) + id;
  const withoutChecksum = start + randomBase62(KEY_SECRET_CHARS, randomBytes);
  const text = withoutChecksum + keyChecksum(withoutChecksum);
  return { text, id, environment, displayStart: start, digest: digestKey(text) };
}
