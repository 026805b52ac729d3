import type { Charge } from '../model/limit-memory.ts';

/** Envoy repeats a Check after a reset or a timeout, both well below this. Remembered this long at least, twice it at most. */
const REMEMBERED_MS = 2000;

/** Per generation. At more requests than this in two seconds, what is remembered is younger rather than more. */
const REQUESTS_MAX = 8192;

/** Open addressing stays quick up to half full. A power of two. */
const SLOTS = 2 * REQUESTS_MAX;

/**
 * The requests of the last seconds that were charged, as 53-bit fingerprints in two flat tables that take turns.
 * Fingerprints, since thousands of small objects that live for seconds are what makes garbage collections long; two
 * requests of the same few seconds share one with a chance of about 1 in 10^12, and then one of them goes uncharged.
 */
export class ChargedRequests {
  #young = new Float64Array(SLOTS);
  #old = new Float64Array(SLOTS);
  #youngCount = 0;
  #turnAtMs = Number.NEGATIVE_INFINITY;

  has(fingerprint: number, nowMs: number): boolean {
    this.#takeTurns(nowMs);
    return (
      this.#young[slotOf(this.#young, fingerprint)] === fingerprint ||
      this.#old[slotOf(this.#old, fingerprint)] === fingerprint
    );
  }

  /** After `has` at the same time. */
  add(fingerprint: number): void {
    this.#young[slotOf(this.#young, fingerprint)] = fingerprint;
    this.#youngCount += 1;
  }

  #takeTurns(nowMs: number): void {
    if (nowMs < this.#turnAtMs && this.#youngCount < REQUESTS_MAX) return;
    const retired = this.#old;
    this.#old = this.#young;
    // After a silence of more than a turn the young ones are too old as well.
    if (nowMs >= this.#turnAtMs + REMEMBERED_MS) this.#old.fill(0);
    retired.fill(0);
    this.#young = retired;
    this.#youngCount = 0;
    this.#turnAtMs = nowMs + REMEMBERED_MS;
  }
}

/**
 * Never 0, which is an empty slot. The buckets belong to it: one request may draw from its plan and from the failures,
 * and a name that is used twice by mistake must not let a stranger draw for nothing.
 */
export function fingerprintOf(
  requestKey: string,
  charges: readonly Charge[],
  cost: number,
): number {
  const mix: Mix = { a: cost + 1, b: charges.length + 1 };
  mixText(mix, requestKey);
  for (const charge of charges) {
    mixText(mix, charge.partition);
    mixText(mix, charge.bucket);
  }
  const high = (mix.a ^ (mix.a >>> 15)) >>> 0;
  const low = (mix.b ^ (mix.b >>> 13)) & 0x1f_ffff;
  return high * 0x20_0000 + low || 1;
}

/** Two 32-bit multiplicative hashes (as FNV-1a, with different multipliers) side by side. */
interface Mix {
  a: number;
  b: number;
}

function mixText(mix: Mix, text: string): void {
  // The length goes first, so that no two lists of texts run together into one.
  let a = Math.imul(mix.a ^ text.length, 0x0100_0193);
  let b = Math.imul(mix.b ^ text.length, 0x5bd1_e995);
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    a = Math.imul(a ^ code, 0x0100_0193);
    b = Math.imul(b ^ code, 0x5bd1_e995);
    b ^= b >>> 15;
  }
  mix.a = a;
  mix.b = b;
}

/** Where it is, or the empty slot where it would be. Never endless: at least half of the slots are empty. */
function slotOf(table: Float64Array, fingerprint: number): number {
  let slot = fingerprint & (SLOTS - 1);
  while (table[slot] !== 0 && table[slot] !== fingerprint) slot = (slot + 1) & (SLOTS - 1);
  return slot;
}
