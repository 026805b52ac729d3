import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';
import type { DigestKeyring } from '../authenticators/ports.ts';
import type { StoredDigest } from '../model/stored-digest.ts';

/** As wide as the hash: a shorter key is the weakest part of an HMAC-SHA-256 (RFC 2104 §3). */
const PEPPER_BYTES_MIN = 32;

/** The column is a smallint; 0 means "no pepper". */
const PEPPER_VERSION_MAX = 32_767;

const DIGEST_BYTES = 32;

/** Digests of secrets that no pepper was there for, or that were imported by their SHA-256. */
const PLAIN_VERSION = 0;

export interface Pepper {
  /** 1 and up; the highest is the one in use. */
  readonly version: number;
  /** At least 32 bytes from a good source of randomness. */
  readonly key: Uint8Array;
}

/**
 * Stored digest = HMAC-SHA-256(pepper, SHA-256(text)): without the pepper, which the database does not hold, a stolen table
 * cannot even be searched for a guess. It is made from the digest, so that keys imported by their digest are peppered too.
 */
export class PepperKeyring implements DigestKeyring {
  /** Newest first. */
  readonly #peppers: readonly { readonly version: number; readonly key: KeyObject }[];

  /** No peppers: everything is stored plain. Throws a TypeError that says which pepper cannot be used, and why. */
  constructor(peppers: readonly Pepper[]) {
    const versions = new Set<number>();
    for (const { version, key } of peppers) {
      checkPepper(version, key);
      if (versions.has(version)) {
        throw new TypeError(`pepper version ${version} is given twice: keep one of the two`);
      }
      versions.add(version);
    }
    this.#peppers = peppers
      .map(({ version, key }) => ({ version, key: createSecretKey(key) }))
      .sort((a, b) => b.version - a.version);
  }

  /** Every form under which the store may hold it, the likeliest first: current pepper, older ones, none. */
  storedDigests(plain: Uint8Array): readonly StoredDigest[] {
    checkDigest(plain);
    const peppered = this.#peppers.map(({ version, key }) => pepper(version, key, plain));
    return [...peppered, { pepperVersion: PLAIN_VERSION, bytes: plain }];
  }

  /** The form in which a new secret is stored. */
  storedDigestForNew(plain: Uint8Array): StoredDigest {
    checkDigest(plain);
    const [current] = this.#peppers;
    if (current === undefined) return { pepperVersion: PLAIN_VERSION, bytes: plain };
    return pepper(current.version, current.key, plain);
  }
}

function pepper(version: number, key: KeyObject, plain: Uint8Array): StoredDigest {
  return { pepperVersion: version, bytes: createHmac('sha256', key).update(plain).digest() };
}

function checkPepper(version: number, key: Uint8Array): void {
  if (!Number.isInteger(version) || version < 1 || version > PEPPER_VERSION_MAX) {
    throw new TypeError(
      `pepper version ${version} is not usable: versions are whole numbers from 1 to ${PEPPER_VERSION_MAX}`,
    );
  }
  if (key.byteLength < PEPPER_BYTES_MIN) {
    throw new TypeError(
      `pepper version ${version} has ${key.byteLength} bytes: use at least ${PEPPER_BYTES_MIN} random ones, for example from "openssl rand"`,
    );
  }
}

function checkDigest(plain: Uint8Array): void {
  if (plain.byteLength !== DIGEST_BYTES) {
    throw new TypeError(`a digest has ${DIGEST_BYTES} bytes, this one ${plain.byteLength}`);
  }
}
