/**
 * The two clocks of a decision. Expiry is a statement about the calendar and uses the wall clock;
 * limits and freshness measure spans and must not jump when NTP steps the wall clock.
 */
export interface Now {
  /** Milliseconds since the Unix epoch. */
  readonly wallMs: number;
  /** Milliseconds on a clock that never goes back; its origin is arbitrary. */
  readonly monoMs: number;
}

export type Clock = () => Now;

/** Runs `run` once after `delayMs`, unless the returned function is called before. */
export type Schedule = (run: () => void, delayMs: number) => () => void;
