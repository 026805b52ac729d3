import type { FlowSpec, Pace } from './load/flow.ts';
import type { LoadGenerator } from './load/generator.ts';
import type { BenchOptions } from './options.ts';
import type { Pinning } from './pinning.ts';
import type { BenchStore, KeyRange } from './store/bench-store.ts';
import {
  type LatchkeySetup,
  type LatchkeySubject,
  startLatchkeySubject,
} from './subjects/latchkey.ts';

/** Envoy opens a connection per worker thread. */
export const CONNECTIONS = 4;
/** Calls at a time, over all connections: enough that a server is never idle. */
export const CONCURRENCY = 64;
/** Client addresses of ordinary traffic. */
export const ADDRESSES = 256;

/** Each warm-up lookup comes from an address of its own, so that no budget of an address slows it down. */
const WARMING_ADDRESSES = 1_000_000;
const WARMING_CONCURRENCY = 32;
const WARMING_PASSES_MAX = 2;
/** A request that fails for another reason than its key was cold: a handful of a million changes no figure. */
const WARMING_MISSES_SHARE_MAX = 0.000_01;

/** What the parts of a run share. */
export class BenchContext {
  readonly options: BenchOptions;
  readonly pinning: Pinning;
  readonly store: BenchStore;
  readonly generator: LoadGenerator;
  readonly say: (line: string) => void;
  readonly #shared = new Map<number, Promise<LatchkeySubject>>();

  constructor(parts: Pick<BenchContext, 'options' | 'pinning' | 'store' | 'generator' | 'say'>) {
    this.options = parts.options;
    this.pinning = parts.pinning;
    this.store = parts.store;
    this.generator = parts.generator;
    this.say = parts.say;
  }

  /** latchkey with so many keys in Postgres and in memory, started once for all parts: a million take minutes to warm. */
  sharedLatchkey(keys: number): Promise<LatchkeySubject> {
    const started = this.#shared.get(keys) ?? this.warmLatchkey(keys, {});
    this.#shared.set(keys, started);
    return started;
  }

  /** One that nobody else uses; the caller stops it. */
  async warmLatchkey(
    keys: number,
    setup: Partial<Omit<LatchkeySetup, 'keys' | 'databaseUrl' | 'prefix'>>,
  ): Promise<LatchkeySubject> {
    const subject = await startLatchkeySubject({
      name: `latchkey, ${keys.toLocaleString('en-US')} keys`,
      ...setup,
      ...{ keys, entry: this.options.entry },
      databaseUrl: await this.store.databaseOf(keys),
      prefix: this.pinning.subject,
    });
    try {
      await this.#warm(subject, keys);
      return subject;
    } catch (error) {
      await subject.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    for (const started of this.#shared.values()) {
      // One that did not start was told of already.
      const subject = await started.catch(() => undefined);
      await subject?.stop();
    }
  }

  /** A lookup may fail, or come too late in the pause of a collection: all are asked for until none was refused. */
  async #warm(subject: LatchkeySubject, keys: number): Promise<void> {
    const startedMs = performance.now();
    const warming = checks({
      name: `warming ${subject.name}`,
      keys: { from: 0, count: keys },
      pace: { kind: 'closed', concurrency: WARMING_CONCURRENCY },
      order: 'each-once',
      addresses: WARMING_ADDRESSES,
    });
    let refused = Number.POSITIVE_INFINITY;
    for (let pass = 0; pass < WARMING_PASSES_MAX && refused > 0; pass += 1) {
      const run = await this.generator.runAnyhow({
        ...{ target: subject.target, flows: [warming], pids: [] },
        ...{ warmupMs: 0, measured: 'keys-used' },
      });
      refused = run.flows.reduce((sum, flow) => sum + flow.refused + flow.broken, 0);
    }
    if (refused > keys * WARMING_MISSES_SHARE_MAX) {
      throw new Error(`${subject.name} refuses ${refused} of its own keys`);
    }
    const seconds = (performance.now() - startedMs) / 1000;
    this.say(`  warmed ${subject.name} in ${seconds.toFixed(1)} s`);
  }
}

export interface ChecksWish {
  readonly name: string;
  readonly keys: KeyRange;
  readonly pace: Pace;
  readonly order?: 'random' | 'each-once';
  readonly addresses?: number;
  readonly seed?: number;
}

/** A flow of checks straight to a server. */
export function checks(wish: ChecksWish): FlowSpec {
  const { name, keys, pace, order = 'random', addresses = ADDRESSES, seed = 1 } = wish;
  return {
    ...{ name, pace, seed, connections: CONNECTIONS },
    traffic: { kind: 'check', keys, order, addresses },
  };
}
