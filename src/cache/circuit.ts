/**
 * Failures in a row after which the store is taken to be away. More than the two that dead idle connections alone can cause
 * (one per connection of the pool).
 */
const FAILURES_MAX = 3;

/** Then nobody waits for the store; once this time is over, one load finds out whether it is back. */
const PAUSE_MS = 1_000;

/** Keeps requests from waiting, one load deadline after another, for a store that has just not answered. */
export class Circuit {
  #failures = 0;
  #openUntilMs = Number.NEGATIVE_INFINITY;
  #isTrying = false;

  get isOpen(): boolean {
    return this.#failures >= FAILURES_MAX;
  }

  /** Whether a load may begin now. While open: one at a time, after the pause. */
  admits(monoMs: number): boolean {
    return !this.isOpen || (!this.#isTrying && monoMs >= this.#openUntilMs);
  }

  /** Milliseconds until a load may begin. */
  pauseMs(monoMs: number): number {
    return this.isOpen ? Math.max(0, this.#openUntilMs - monoMs) : 0;
  }

  /** A load begins; `succeeded` or `failed` follows. */
  begin(): void {
    if (this.isOpen) this.#isTrying = true;
  }

  succeeded(): void {
    this.#failures = 0;
    this.#isTrying = false;
  }

  failed(monoMs: number): void {
    this.#failures += 1;
    this.#isTrying = false;
    if (this.isOpen) this.#openUntilMs = monoMs + PAUSE_MS;
  }
}
