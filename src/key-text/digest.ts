import { hash } from 'node:crypto';
import type { Digest } from '../model/ids.ts';

/** What memory and store know a key by: the SHA-256 of its whole text. */
export function digestKey(text: string): Digest {
  // The one place where a Digest is made from a text.
  return hash('sha256', text, 'base64url') as Digest;
}
