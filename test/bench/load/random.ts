/** xorshift32: quick, and the same numbers for the same seed. */
export class FastRandom {
  #state: number;

  constructor(seed: number) {
    // Zero would stay zero.
    this.#state = seed | 0 || 1;
  }

  /** A whole number in [0, limit). */
  below(limit: number): number {
    return Math.floor(this.fraction() * limit);
  }

  /** In [0, 1). */
  fraction(): number {
    let state = this.#state;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    this.#state = state;
    return (state >>> 0) / 0x1_0000_0000;
  }
}
