import { type CacheSettings, composeCache } from '../../../src/cache/compose.ts';
import type { LoadOutcome } from '../../../src/cache/ports.ts';
import type { Fact } from '../../../src/model/memory.ts';
import type { KnownCredential } from '../../../src/model/subject.ts';
import { CACHE_SETTINGS } from '../../support/cache-settings.ts';
import { FakeTime, seededRandom, settled } from './fake-time.ts';
import { digestOf, MemoryStore } from './memory-store.ts';

/** A cache with its lookups and its follower, on a store in memory and a clock that the test moves. */
export class Rig {
  readonly time = new FakeTime();
  readonly store = new MemoryStore();
  readonly outcomes: LoadOutcome[] = [];
  readonly faults: unknown[] = [];
  readonly cache;

  constructor(settings: Partial<CacheSettings> = {}) {
    const { store, time } = this;
    this.cache = composeCache(
      {
        source: store.source,
        feed: store.feed,
        hints: store.hints,
        registry: store.registry,
        clock: time.clock,
        schedule: time.schedule,
        random: seededRandom(1),
        observer: {
          loadEnded: (outcome) => this.outcomes.push(outcome),
          historyLost: () => {},
          fault: (error) => this.faults.push(error),
        },
      },
      { ...CACHE_SETTINGS, ...settings },
    );
  }

  /** Following: the first read is done. */
  static async following(settings: Partial<CacheSettings> = {}): Promise<Rig> {
    const rig = new Rig(settings);
    rig.cache.follower.start();
    await settled();
    return rig;
  }

  find(digest: string): KnownCredential | 'absent' | undefined {
    return this.cache.memory.find('api_key', digestOf(digest), this.time.clock());
  }

  resolve(
    digest: string,
    { client = '192.0.2.1', patienceMs = Infinity, isAfterFailures = false } = {},
  ): Promise<Fact> {
    const need = {
      kind: 'need',
      credentialKind: 'api_key',
      digest: digestOf(digest),
      clientBucket: client,
      isAfterFailures,
    } as const;
    return this.cache.lookups.resolve(need, this.time.monoMs + patienceMs);
  }

  /** As a request would: from memory, else by a lookup. */
  async ask(digest: string): Promise<KnownCredential | 'absent' | Fact> {
    const known = this.find(digest);
    if (known !== undefined) return known;
    const fact = await this.resolve(digest);
    if (fact.kind === 'found') return fact.credential;
    return fact.kind === 'absent' ? 'absent' : fact;
  }

  /** The follower reads what there is, as after a notification. */
  async follow(): Promise<void> {
    this.store.hint();
    await this.time.advance(50);
  }

  async deliverLoads(): Promise<void> {
    for (const held of this.store.heldLoads.splice(0)) held.deliver();
    await settled();
  }
}

export function credentialOf(fact: Fact | KnownCredential | 'absent' | undefined): KnownCredential {
  if (fact === undefined || fact === 'absent') throw new Error(`not found: ${fact}`);
  if ('subject' in fact) return fact;
  if (fact.kind !== 'found') throw new Error(`not found: ${JSON.stringify(fact)}`);
  return fact.credential;
}
