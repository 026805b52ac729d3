import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';

/** In microseconds. */
export interface LatencySummary {
  readonly count: number;
  readonly meanUs: number;
  readonly p50Us: number;
  readonly p90Us: number;
  readonly p99Us: number;
  readonly p999Us: number;
  readonly maxUs: number;
}

/** Nothing here waits longer. */
const LATENCY_NS_MAX = 120_000_000_000;
/** Values are kept to a thousandth of themselves. */
const FIGURES = 3;

/** Latencies of any number of requests, in a histogram of constant size. */
export class Latencies {
  readonly #histogram: RecordableHistogram = createHistogram({
    lowest: 1,
    highest: LATENCY_NS_MAX,
    figures: FIGURES,
  });

  /** What lies beyond the range counts as its end. */
  record(ms: number): void {
    const ns = Math.round(ms * 1e6);
    this.#histogram.record(Math.min(LATENCY_NS_MAX, Math.max(1, ns)));
  }

  reset(): void {
    this.#histogram.reset();
  }

  summary(): LatencySummary {
    const { count } = this.#histogram;
    const us = (percentile: number): number =>
      count === 0 ? 0 : this.#histogram.percentile(percentile) / 1000;
    return {
      count,
      meanUs: count === 0 ? 0 : this.#histogram.mean / 1000,
      p50Us: us(50),
      p90Us: us(90),
      p99Us: us(99),
      p999Us: us(99.9),
      maxUs: count === 0 ? 0 : this.#histogram.max / 1000,
    };
  }
}
