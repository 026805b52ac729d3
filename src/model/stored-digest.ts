/** A digest as the store holds it: plain SHA-256 for pepper version 0, else HMAC-SHA-256(pepper, SHA-256). 32 bytes. */
export interface StoredDigest {
  readonly pepperVersion: number;
  readonly bytes: Uint8Array;
}
