import { Buffer } from 'node:buffer';
import type { CredentialSource } from '../cache/ports.ts';
import type { LoadedCredential } from '../model/change.ts';
import type { Digest } from '../model/ids.ts';
import type { CredentialKind } from '../model/memory.ts';
import type { DigestKeyring, KeyStore } from './ports.ts';

export interface ApiKeySourceParts {
  readonly store: KeyStore;
  readonly keyring: DigestKeyring;
}

/** API keys are proven by being found: the store holds a digest that only the key's text gives. */
export class ApiKeySource implements CredentialSource {
  readonly #store: KeyStore;
  readonly #keyring: DigestKeyring;

  constructor({ store, keyring }: ApiKeySourceParts) {
    this.#store = store;
    this.#keyring = keyring;
  }

  async load(kind: CredentialKind, digest: Digest, signal: AbortSignal): Promise<LoadedCredential> {
    switch (kind) {
      case 'api_key': {
        const plain = Buffer.from(digest, 'base64url');
        return this.#store.findKey(this.#keyring.storedDigests(plain), signal);
      }
    }
  }
}
