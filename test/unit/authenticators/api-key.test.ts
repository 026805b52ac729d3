import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { ApiKeySource } from '../../../src/authenticators/api-key.ts';
import type { LoadedCredential } from '../../../src/model/change.ts';
import { StoreUnavailableError } from '../../../src/model/change.ts';
import type { Digest } from '../../../src/model/ids.ts';
import type { StoredDigest } from '../../../src/model/stored-digest.ts';

const plain = createHash('sha256').update('sk_live_text').digest();
const digest = plain.toString('base64url') as Digest;
const absent: LoadedCredential = { kind: 'absent', at: { epoch: 'e1', version: 4 } };
const stored: StoredDigest[] = [
  { pepperVersion: 1, bytes: Buffer.alloc(32, 1) },
  { pepperVersion: 0, bytes: plain },
];

describe('an API key', () => {
  it('is looked up under every digest that the keyring makes of its own', async () => {
    const asked: unknown[] = [];
    const { signal } = new AbortController();
    const source = new ApiKeySource({
      store: {
        findKey: async (digests, given) => {
          asked.push(digests, given === signal);
          return absent;
        },
      },
      keyring: {
        storedDigests: (bytes) => {
          asked.push(Buffer.from(bytes).equals(plain));
          return stored;
        },
      },
    });
    expect(await source.load('api_key', digest, signal)).toBe(absent);
    expect(asked).toEqual([true, stored, true]);
  });

  it('is an outage where the store is one', async () => {
    const source = new ApiKeySource({
      store: { findKey: () => Promise.reject(new StoreUnavailableError('away')) },
      keyring: { storedDigests: () => stored },
    });
    const load = source.load('api_key', digest, new AbortController().signal);
    await expect(load).rejects.toBeInstanceOf(StoreUnavailableError);
  });
});
