import type { Clock, Schedule } from '../../../src/model/clock.ts';

interface Alarm {
  readonly atMs: number;
  readonly run: () => void;
}

/** A clock and timers that move only when the test says so. */
export class FakeTime {
  monoMs = 1_000;
  readonly #alarms = new Set<Alarm>();
  /** Of every timer so far, in milliseconds. */
  readonly delays: number[] = [];

  readonly clock: Clock = () => ({ wallMs: 1_700_000_000_000 + this.monoMs, monoMs: this.monoMs });

  readonly schedule: Schedule = (run, delayMs) => {
    const alarm = { atMs: this.monoMs + Math.max(0, delayMs), run };
    this.#alarms.add(alarm);
    this.delays.push(delayMs);
    return () => this.#alarms.delete(alarm);
  };

  get pendingTimers(): number {
    return this.#alarms.size;
  }

  /** Runs every timer that falls due, in order, and lets what it set off settle before the next. */
  async advance(byMs: number): Promise<void> {
    const endMs = this.monoMs + byMs;
    await settled();
    for (let next = this.#next(endMs); next !== undefined; next = this.#next(endMs)) {
      this.#alarms.delete(next);
      this.monoMs = Math.max(this.monoMs, next.atMs);
      next.run();
      await settled();
    }
    this.monoMs = endMs;
  }

  #next(endMs: number): Alarm | undefined {
    let next: Alarm | undefined;
    for (const alarm of this.#alarms) {
      if (alarm.atMs <= endMs && (next === undefined || alarm.atMs < next.atMs)) next = alarm;
    }
    return next;
  }
}

/** All promises that can settle by themselves have settled: microtasks run dry before the next immediate. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** A small seeded generator (mulberry32): a failing run can be repeated from its seed. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
