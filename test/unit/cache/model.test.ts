import { describe, expect, it } from 'vitest';
import type { ChangeSink } from '../../../src/cache/ports.ts';
import type { Change } from '../../../src/model/change.ts';
import type { Fact } from '../../../src/model/memory.ts';
import type { KnownCredential } from '../../../src/model/subject.ts';
import { seededRandom, settled } from './fake-time.ts';
import { Rig } from './rig.ts';

const RUNS = 150;
const STEPS = 150;
const KEYS = ['a', 'b', 'c', 'd'] as const;
type Key = (typeof KEYS)[number];

/**
 * Random interleavings of changes, loads, reads of the log, outages and failovers, held against a plain model: at every moment
 * what is served of a key must be its state at the last applied change that hit it, or a later one.
 *
 * Each state of a key is named by a number that counts up (in `Subject.name`), 0 for "does not exist" at first.
 */
class Model {
  readonly rig: Rig;
  readonly #random: () => number;
  /** By key: the number of its state, and whether it exists in that state. */
  readonly #states = new Map<Key, { number: number; exists: boolean }[]>();
  /** By key: the number of the state that the last applied change showed. Nothing older may be served. */
  readonly #applied = new Map<Key, number>();
  /** The same for changes that named the key: nothing older may be served even in an outage. */
  readonly #named = new Map<Key, number>();
  /** What each row of the log showed: `key → number of its state`. */
  readonly #shown = new Map<string, ReadonlyMap<Key, number>>();
  readonly #violations: unknown[] = [];
  #troubleAtMs = Number.NEGATIVE_INFINITY;
  served = 0;
  servedInOutage = 0;

  constructor(rig: Rig, random: () => number) {
    this.rig = rig;
    this.#random = random;
    for (const key of KEYS) {
      this.#states.set(key, [{ number: 0, exists: false }]);
      this.#applied.set(key, 0);
      this.#named.set(key, 0);
    }
    this.#watch(rig.cache.memory);
  }

  pick<T>(from: readonly T[]): T {
    const item = from[Math.floor(this.#random() * from.length)];
    if (item === undefined) throw new Error('nothing to pick from');
    return item;
  }

  commit(): void {
    const { store } = this.rig;
    const key = this.pick(KEYS);
    const last = this.#last(key);
    const number = last.number + 1;
    const exists = last.exists ? this.#random() < 0.7 : true;
    this.#states.get(key)?.push({ number, exists });
    if (!exists) store.remove(key);
    else if (last.exists) store.change(key, { name: String(number) });
    else store.create(key, [key], { name: String(number) });
    this.#remember();
  }

  /** Several keys at once, in one row of the log. */
  commitMany(): void {
    const { store } = this.rig;
    for (const key of KEYS) {
      const last = this.#last(key);
      if (!last.exists || this.#random() < 0.5) continue;
      const number = last.number + 1;
      this.#states.get(key)?.push({ number, exists: true });
      const subject = [...store.subjects.values()].find(({ keyId }) => keyId === key);
      if (subject) store.subjects.set(subject.id, { ...subject, name: String(number) });
    }
    store.commit('all', true);
    this.#remember();
  }

  failover(): void {
    const { store } = this.rig;
    store.newHistory(`e${store.loads}-${store.reads}`, Math.floor(this.#random() * 40));
    this.#remember();
  }

  ask(): void {
    const key = this.pick(KEYS);
    const known = this.rig.find(key);
    if (known !== undefined) this.#check(key, known, false);
    const askedMs = this.rig.time.monoMs;
    this.rig
      .resolve(key, { patienceMs: 500 })
      .then((fact) => this.#checkFact(key, fact, askedMs))
      .catch((error: unknown) => this.#violations.push(error));
  }

  checkMemory(): void {
    this.noteTrouble();
    if (this.#violations.length > 0) throw this.#violations[0];
    for (const key of KEYS) {
      const known = this.rig.find(key);
      if (known !== undefined) this.#check(key, known, false);
    }
  }

  /** All quiet: what is served is the present state. */
  async checkAtRest(): Promise<void> {
    for (const key of KEYS) {
      const answer = await this.rig.ask(key);
      const { number, exists } = this.#last(key);
      if (exists) expect(answer).toMatchObject({ subject: { name: String(number) } });
      else expect(answer).toBe('absent');
    }
  }

  /** The store does not answer, or did not a moment ago. */
  noteTrouble(): void {
    const { store, cache, time } = this.rig;
    const { running, isCircuitOpen } = cache.lookups.stats();
    const isTrouble = store.state !== 'up' || running > 0 || isCircuitOpen;
    if (isTrouble) this.#troubleAtMs = time.monoMs;
  }

  #checkFact(key: Key, fact: Fact, askedMs: number): void {
    if (fact.kind === 'unavailable') return;
    const mayBeSuspect = this.#troubleAtMs >= askedMs;
    this.#check(key, fact.kind === 'found' ? fact.credential : 'absent', mayBeSuspect);
  }

  #check(key: Key, answer: KnownCredential | 'absent', mayBeSuspect: boolean): void {
    this.served += 1;
    if (mayBeSuspect) this.servedInOutage += 1;
    const least = (mayBeSuspect ? this.#named : this.#applied).get(key) ?? 0;
    if (answer !== 'absent') {
      expect(Number(answer.subject.name)).toBeGreaterThanOrEqual(least);
      return;
    }
    const states = this.#states.get(key) ?? [];
    expect(states.some(({ number, exists }) => number >= least && !exists)).toBe(true);
  }

  /** What the follower applies is what the model holds the cache to. */
  #watch(sink: ChangeSink): void {
    const { adopt, apply } = sink;
    sink.adopt = (at) => {
      adopt.call(sink, at);
      for (const key of KEYS) this.#raise(this.#applied, key, `${at.epoch}:${at.version}`);
    };
    sink.apply = (change: Change) => {
      apply.call(sink, change);
      const row = `${this.rig.cache.follower.state().position?.epoch}:${change.version}`;
      for (const key of KEYS) {
        if (change.subject === 'all' || change.subject === `key:${key}`) {
          this.#raise(this.#applied, key, row);
        }
        if (change.subject === `key:${key}`) this.#raise(this.#named, key, row);
      }
    };
  }

  #raise(least: Map<Key, number>, key: Key, row: string): void {
    const shown = this.#shown.get(row)?.get(key) ?? 0;
    least.set(key, Math.max(least.get(key) ?? 0, shown));
  }

  #remember(): void {
    const { epoch, version } = this.rig.store.position;
    const shown = new Map(KEYS.map((key) => [key, this.#last(key).number] as const));
    this.#shown.set(`${epoch}:${version}`, shown);
  }

  #last(key: Key): { number: number; exists: boolean } {
    const last = this.#states.get(key)?.at(-1);
    if (last === undefined) throw new Error(key);
    return last;
  }
}

async function step(model: Model, random: () => number): Promise<void> {
  const { rig } = model;
  const { store, time } = rig;
  const dice = random();
  if (dice < 0.3) model.ask();
  else if (dice < 0.45) model.commit();
  else if (dice < 0.48) model.commitMany();
  else if (dice < 0.5) model.failover();
  else if (dice < 0.65) deliverOne(store.heldLoads, random);
  else if (dice < 0.8) deliverOne(store.heldReads, random);
  else if (dice < 0.88) store.hint();
  else if (dice < 0.92) store.state = model.pick(['up', 'up', 'up', 'away', 'silent']);
  else if (dice < 0.95) store.holdLoads = random() < 0.7;
  else if (dice < 0.98) store.holdReads = random() < 0.7;
  else await time.advance(random() * 5_000);
  await time.advance(random() * 30);
  model.checkMemory();
}

function deliverOne(held: { deliver: () => void }[], random: () => number): void {
  held.splice(Math.floor(random() * held.length), 1)[0]?.deliver();
}

describe('against a plain model', () => {
  it(`never serves what is older than the last applied change, in ${RUNS} random runs`, async () => {
    let served = 0;
    let servedInOutage = 0;
    for (let seed = 1; seed <= RUNS; seed += 1) {
      const random = seededRandom(seed);
      const model = new Model(new Rig(), random);
      const { store, time, cache, outcomes } = model.rig;
      cache.follower.start();
      try {
        for (let index = 0; index < STEPS; index += 1) await step(model, random);
        store.state = 'up';
        store.holdLoads = false;
        store.holdReads = false;
        for (const held of [...store.heldLoads, ...store.heldReads]) held.deliver();
        await time.advance(20_000);
        await model.checkAtRest();
      } catch (error) {
        throw new Error(`seed ${seed}, loads ${outcomes.join(' ')}`, { cause: error });
      }
      served += model.served;
      servedInOutage += model.servedInOutage;
      await settled();
    }
    expect(served).toBeGreaterThan(RUNS * STEPS);
    expect(servedInOutage).toBeGreaterThan(100);
  }, 60_000);
});
