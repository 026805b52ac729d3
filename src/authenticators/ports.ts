import type { LoadedCredential } from '../model/change.ts';
import type { StoredDigest } from '../model/stored-digest.ts';

/** Where keys are read. Rejects with StoreUnavailableError when it cannot say. */
export interface KeyStore {
  /** The key that has one of these digests. The row and the position it was read at come from one statement. */
  findKey(digests: readonly StoredDigest[], signal: AbortSignal): Promise<LoadedCredential>;
}

/** Turns the plain digest of a credential into those that the store may hold it under: current pepper, older ones, none. */
export interface DigestKeyring {
  storedDigests(plain: Uint8Array): readonly StoredDigest[];
}
