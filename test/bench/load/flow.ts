import type { Verdict } from './answer.ts';
import { LoadConnection, type Target } from './connection.ts';
import type { KeyTable } from './key-table.ts';
import { Latencies, type LatencySummary } from './latencies.ts';
import { FastRandom } from './random.ts';
import { arrivals } from './schedule.ts';
import { createTraffic, type Traffic, type TrafficSpec } from './traffic.ts';

/**
 * `closed`: so many requests at a time, the next one after each answer: how much there is room for. `open`: requests arrive when they
 * arrive, and latency counts from then on, whether they could be sent or not: how long clients wait.
 */
export type Pace =
  | { readonly kind: 'closed'; readonly concurrency: number }
  | { readonly kind: 'open'; readonly perSecond: number; readonly burstMax: number };

export interface FlowSpec {
  readonly name: string;
  readonly traffic: TrafficSpec;
  readonly pace: Pace;
  readonly connections: number;
  readonly seed: number;
}

export interface FlowResult {
  readonly name: string;
  readonly allowed: number;
  readonly refused: number;
  readonly broken: number;
  readonly perSecond: number;
  readonly latency: LatencySummary;
  /** How late requests of an open pace were sent: a fault of the generator, part of their latency. */
  readonly sendLag: LatencySummary;
  /** What ended a connection, if anything did. */
  readonly failure: string | undefined;
}

/** Below this the loop turns without a pause, so that a request leaves within microseconds of its time. */
const SPIN_MS = 2;

/** One stream of requests over a few connections. */
export class Flow {
  readonly spec: FlowSpec;
  readonly #traffic: Traffic;
  readonly #connections: LoadConnection[] = [];
  readonly #latencies = new Latencies();
  readonly #sendLag = new Latencies();
  readonly #counts: Record<Verdict, number> = { allowed: 0, refused: 0, broken: 0 };
  #measuredFromMs = Number.POSITIVE_INFINITY;
  #measuredToMs = Number.POSITIVE_INFINITY;
  #isOver = false;
  #isUsedUp = false;

  constructor(spec: FlowSpec, table: KeyTable, startId: number) {
    this.spec = spec;
    this.#traffic = createTraffic(spec.traffic, table, { seed: spec.seed, startId });
  }

  async connect(target: Target): Promise<void> {
    for (let count = 0; count < this.spec.connections; count += 1) {
      const connection: LoadConnection = await LoadConnection.open(
        target,
        this.#traffic,
        (verdict, sinceMs) => this.#answered(connection, verdict, sinceMs),
      );
      this.#connections.push(connection);
    }
  }

  start(): void {
    const { pace, connections } = this.spec;
    if (pace.kind === 'open') {
      this.#startOpen(pace);
      return;
    }
    for (let count = 0; count < pace.concurrency; count += 1) {
      const connection = this.#connections[count % connections];
      if (connection !== undefined) this.#askNext(connection);
    }
    this.#flush();
  }

  /** What came before is forgotten. */
  measure(): void {
    this.#measuredFromMs = performance.now();
  }

  /** No further requests. What is measured ends here. */
  finish(): void {
    this.#isOver = true;
    this.#measuredToMs = performance.now();
  }

  /** Every key of an `each-once` flow was asked for. */
  get isUsedUp(): boolean {
    return this.#isUsedUp;
  }

  /** Why one of its connections can go on no more. */
  get failure(): Error | undefined {
    return this.#connections.find(({ failure }) => failure !== undefined)?.failure;
  }

  get outstanding(): number {
    return this.#connections.reduce((sum, connection) => sum + connection.outstanding, 0);
  }

  /** What is still open counts as broken. */
  close(): FlowResult {
    const { broken, ...counts } = this.#counts;
    const unanswered = this.outstanding;
    const failure = this.failure?.message;
    for (const connection of this.#connections) connection.close();
    const latency = this.#latencies.summary();
    const elapsedMs = this.#measuredToMs - this.#measuredFromMs;
    return {
      ...{ name: this.spec.name, ...counts, broken: broken + unanswered },
      perSecond: (1000 * latency.count) / elapsedMs,
      ...{ latency, sendLag: this.#sendLag.summary(), failure },
    };
  }

  #answered(connection: LoadConnection, verdict: Verdict, sinceMs: number): void {
    const nowMs = performance.now();
    // A closed loop is counted by its answers, an open one by its arrivals: none of those may be left out for being slow.
    const countedMs = this.spec.pace.kind === 'closed' ? nowMs : sinceMs;
    // A fault counts whenever it comes.
    if (verdict === 'broken') this.#counts.broken += 1;
    if (countedMs >= this.#measuredFromMs && countedMs < this.#measuredToMs) {
      this.#latencies.record(nowMs - sinceMs);
      if (verdict !== 'broken') this.#counts[verdict] += 1;
    }
    if (this.spec.pace.kind === 'closed' && !this.#isOver && verdict !== 'broken') {
      this.#askNext(connection);
    }
  }

  #askNext(connection: LoadConnection): void {
    const key = this.#traffic.nextKey();
    if (key === undefined) this.#isUsedUp = true;
    else connection.ask(key, performance.now());
  }

  #startOpen(pace: Extract<Pace, { kind: 'open' }>): void {
    const nextBurst = arrivals({ ...pace, seed: this.spec.seed });
    const random = new FastRandom(this.spec.seed + 2);
    const startMs = performance.now();
    let next = nextBurst();
    const turn = (): void => {
      if (this.#isOver) return;
      const nowMs = performance.now() - startMs;
      while (next.atMs <= nowMs) {
        this.#askBurst(startMs + next.atMs, next.requests, random);
        next = nextBurst();
      }
      this.#flush();
      const pauseMs = next.atMs - nowMs;
      if (pauseMs > SPIN_MS) setTimeout(turn, pauseMs - SPIN_MS);
      else setImmediate(turn);
    };
    turn();
  }

  #askBurst(sinceMs: number, requests: number, random: FastRandom): void {
    for (let left = requests; left > 0; left -= 1) {
      const connection = this.#connections[random.below(this.#connections.length)];
      const key = this.#traffic.nextKey();
      if (key === undefined || connection === undefined) {
        this.#isUsedUp = true;
        return;
      }
      connection.ask(key, sinceMs);
    }
    if (sinceMs >= this.#measuredFromMs) this.#sendLag.record(performance.now() - sinceMs);
  }

  #flush(): void {
    for (const connection of this.#connections) connection.flush();
  }
}
