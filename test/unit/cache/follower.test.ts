import { describe, expect, it } from 'vitest';
import { ChangeFollower } from '../../../src/cache/follower.ts';
import type { ChangeSink } from '../../../src/cache/ports.ts';
import type { SubjectId } from '../../../src/model/ids.ts';
import { FakeTime, seededRandom, settled } from './fake-time.ts';
import { MemoryStore } from './memory-store.ts';

/** A follower on a store in memory, with a sink that writes down what it is told. */
function followed() {
  const time = new FakeTime();
  const store = new MemoryStore();
  const told: string[] = [];
  const confirmations: number[] = [];
  const faults: unknown[] = [];
  let newest = 0;
  const sink: ChangeSink = {
    adopt: ({ epoch, version }) => told.push(`adopt ${epoch}:${version}`),
    apply: ({ version, subject }) => told.push(`apply ${version} ${subject}`),
    gap: (version) => told.push(`gap ${version}`),
    loseHistory: () => told.push('lost'),
    confirm: (monoMs) => confirmations.push(monoMs),
    newestVersion: () => newest,
  };
  const follower = new ChangeFollower({
    feed: store.feed,
    hints: store.hints,
    registry: store.registry,
    sink,
    clock: time.clock,
    schedule: time.schedule,
    random: seededRandom(7),
    observer: {
      loadEnded: () => {},
      historyLost: () => told.push('told of the loss'),
      fault: (error) => faults.push(error),
    },
    onAnswer: () => {},
  });
  return {
    time,
    store,
    told,
    confirmations,
    faults,
    follower,
    seeNewest: (version: number) => {
      newest = version;
    },
  };
}

const touch = (store: MemoryStore, id: string) => store.commit(`key:${id}` as SubjectId, false);

describe('the first read', () => {
  it('adopts the head of the log, and only then is done', async () => {
    const { store, follower, told } = followed();
    touch(store, 'a');
    store.holdReads = true;
    follower.start();
    await settled();
    expect(follower.state()).toMatchObject({ firstReadDone: false, position: undefined });
    store.heldReads.shift()?.deliver();
    await settled();
    expect(told).toEqual(['adopt e1:1']);
    expect(follower.state()).toMatchObject({
      firstReadDone: true,
      position: { epoch: 'e1', version: 1 },
      lastConfirmedMonoMs: 1_000,
    });
    expect(store.confirmed).toEqual([{ epoch: 'e1', version: 1 }]);
    await follower.stop();
  });

  it('is tried again every second while the store is away', async () => {
    const { store, follower, time } = followed();
    store.state = 'away';
    follower.start();
    await time.advance(10_000);
    expect(follower.state().firstReadDone).toBe(false);
    expect(store.heads).toBeGreaterThanOrEqual(9);
    store.state = 'up';
    await time.advance(1_200);
    expect(follower.state().firstReadDone).toBe(true);
    await follower.stop();
  });

  it('listens before it reads', async () => {
    const { store, follower } = followed();
    const order: string[] = [];
    const { start } = store.hints;
    store.hints.start = (handlers) => {
      order.push('listen');
      start(handlers);
    };
    const { head } = store.feed;
    store.feed.head = (signal) => {
      order.push('head');
      return head(signal);
    };
    follower.start();
    await settled();
    expect(order).toEqual(['listen', 'head']);
    await follower.stop();
  });
});

describe('following', () => {
  it('applies changes in order, each once', async () => {
    const { store, follower, told, time } = followed();
    follower.start();
    await settled();
    for (const id of ['a', 'b', 'c']) touch(store, id);
    store.hint();
    await time.advance(20);
    touch(store, 'd');
    store.hint();
    await time.advance(20);
    expect(told.slice(1)).toEqual([
      'apply 1 key:a',
      'apply 2 key:b',
      'apply 3 key:c',
      'apply 4 key:d',
    ]);
    await follower.stop();
  });

  it('reads on at once after a full batch, and confirms only at the end', async () => {
    const { store, follower, told, confirmations, time } = followed();
    follower.start();
    await time.advance(100);
    for (let index = 0; index < 1_700; index += 1) touch(store, `k${index}`);
    const before = { reads: store.reads, confirmations: confirmations.length };
    store.hint();
    await settled();
    expect(told).toHaveLength(1 + 1_700);
    expect(store.reads - before.reads).toBe(4);
    expect(confirmations.length - before.confirmations).toBe(1);
    await follower.stop();
  });

  it('sees a change within two seconds by polling alone', async () => {
    const { store, follower, told, time } = followed();
    follower.start();
    await settled();
    for (let round = 1; round <= 50; round += 1) {
      touch(store, 'a');
      await time.advance(1_200);
      expect(told.at(-1)).toBe(`apply ${round} key:a`);
    }
    await follower.stop();
  });

  it('sees a change at once after a hint', async () => {
    const { store, follower, told, time } = followed();
    follower.start();
    await time.advance(500);
    touch(store, 'a');
    store.hint();
    await settled();
    expect(told.at(-1)).toBe('apply 1 key:a');
    await follower.stop();
  });

  it('makes one read of many hints', async () => {
    const { store, follower, time } = followed();
    follower.start();
    await time.advance(100);
    const before = store.reads;
    for (let index = 0; index < 400; index += 1) {
      touch(store, 'a');
      store.hint();
    }
    await time.advance(19);
    expect(store.reads - before).toBe(1);
    await time.advance(1);
    expect(store.reads - before).toBe(2);
    expect(follower.state().position?.version).toBe(400);
    await follower.stop();
  });

  it('does not lose a hint that comes while it reads', async () => {
    const { store, follower, told, time } = followed();
    follower.start();
    await settled();
    store.holdReads = true;
    store.hint();
    await time.advance(20);
    touch(store, 'a');
    store.hint();
    store.holdReads = false;
    store.heldReads.shift()?.deliver();
    await time.advance(20);
    expect(told.at(-1)).toBe('apply 1 key:a');
    await follower.stop();
  });

  it('gives up a read that hangs, and follows the hint that came meanwhile', async () => {
    const { store, follower, told, time } = followed();
    follower.start();
    await time.advance(100);
    store.state = 'silent';
    store.hint();
    await time.advance(10);
    store.state = 'up';
    touch(store, 'a');
    store.hint();
    await time.advance(2_020);
    expect(told.at(-1)).toBe('apply 1 key:a');
    await follower.stop();
  });

  it('reads again when listening has been cut and re-established', async () => {
    const { store, follower, told, time } = followed();
    follower.start();
    await time.advance(100);
    store.listening(true);
    expect(follower.state().connected).toBe(true);
    store.listening(false);
    expect(follower.state().connected).toBe(false);
    touch(store, 'a');
    await time.advance(50);
    expect(told.at(-1)).toBe('adopt e1:0');
    store.listening(true);
    await settled();
    expect(told.at(-1)).toBe('apply 1 key:a');
    await follower.stop();
  });

  it('reports how far the store is known to be ahead', async () => {
    const { store, follower, seeNewest } = followed();
    touch(store, 'a');
    follower.start();
    await settled();
    seeNewest(5);
    expect(follower.state().lagVersions).toBe(4);
    await follower.stop();
  });

  it('confirms as of the beginning of a read, and not while the store is away', async () => {
    const { store, follower, confirmations, time } = followed();
    follower.start();
    await time.advance(500);
    store.holdReads = true;
    store.hint();
    await time.advance(300);
    store.heldReads.shift()?.deliver();
    await settled();
    expect(confirmations.at(-1)).toBe(1_500);
    store.state = 'away';
    await time.advance(60_000);
    expect(confirmations.at(-1)).toBe(1_500);
    await follower.stop();
  });
});

describe('a log that is not the one followed so far', () => {
  it.each<[string, (store: MemoryStore) => void]>([
    ['another epoch', (store) => store.newHistory('e2', 2)],
    ['the same version with another nonce', (store) => store.newHistory('e1', 2)],
    ['an older state of the log', (store) => store.newHistory('e1', 1)],
    ['a log that begins after the last applied change', (store) => store.newHistory('e1', 9)],
  ])('%s makes everything start over', async (_, replace) => {
    const { store, follower, told, time } = followed();
    touch(store, 'a');
    touch(store, 'b');
    follower.start();
    await time.advance(1_000);
    replace(store);
    store.hint();
    await settled();
    expect(told.slice(1)).toEqual([
      'told of the loss',
      'lost',
      `adopt ${store.epoch}:${store.version}`,
    ]);
    expect(store.confirmed.at(-1)).toEqual(store.position);
    await follower.stop();
  });

  it('a missing version makes everything suspect', async () => {
    const { store, follower, told, time } = followed();
    follower.start();
    await time.advance(100);
    for (const id of ['a', 'b', 'c']) touch(store, id);
    store.log.splice(1, 1);
    store.hint();
    await settled();
    expect(told.slice(1)).toEqual(['apply 1 key:a', 'gap 3', 'apply 3 key:c']);
    await follower.stop();
  });

  it('has no position until the new head is read', async () => {
    const { store, follower, time } = followed();
    follower.start();
    await time.advance(100);
    store.newHistory('e2', 4);
    const { head } = store.feed;
    store.feed.head = () => Promise.reject(new Error('no such function'));
    store.hint();
    await settled();
    expect(follower.state().position).toBeUndefined();
    store.feed.head = head;
    await time.advance(1_200);
    expect(follower.state().position).toEqual({ epoch: 'e2', version: 4 });
    await follower.stop();
  });
});

describe('the registry', () => {
  it('hears of a position only after its changes were applied', async () => {
    const { store, follower, told, time } = followed();
    follower.start();
    await time.advance(1_000);
    const { confirm } = store.registry;
    store.registry.confirm = (at, signal) => {
      told.push(`confirm ${at.version}`);
      return confirm(at, signal);
    };
    touch(store, 'a');
    store.hint();
    await settled();
    expect(told.slice(1)).toEqual(['apply 1 key:a', 'confirm 1']);
    await follower.stop();
  });

  it('hears of a change after a pause at once, and of a stream of changes every 200 ms, the last one included', async () => {
    const { store, follower, time } = followed();
    follower.start();
    await time.advance(1_000);
    const heard: [number, number][] = [];
    const { confirm } = store.registry;
    const startedMs = time.monoMs;
    store.registry.confirm = (at, signal) => {
      heard.push([time.monoMs - startedMs, at.version]);
      return confirm(at, signal);
    };
    for (let change = 1; change <= 50; change += 1) {
      touch(store, 'a');
      store.hint();
      await time.advance(20);
    }
    await time.advance(1_000);
    const changes = heard.filter(([, version], index) => version !== heard[index - 1]?.[1]);
    expect(changes[0]).toEqual([0, 1]);
    expect(changes.at(-1)?.[1]).toBe(50);
    expect(changes).toHaveLength(6);
    for (const [index, [atMs]] of changes.entries()) expect(atMs).toBe(index * 200);
    await follower.stop();
  });

  it('hears of a change at once although a heartbeat has just gone out', async () => {
    const { store, follower, time } = followed();
    follower.start();
    const heartbeats = () => store.confirmed.length;
    await time.advance(1_000);
    while (heartbeats() === 1) await time.advance(1);
    touch(store, 'a');
    store.hint();
    await time.advance(20);
    expect(store.confirmed.at(-1)?.version).toBe(1);
    await follower.stop();
  });

  it('that is slow is never told twice at a time, and hears of what was applied meanwhile', async () => {
    const { store, follower, time } = followed();
    follower.start();
    await time.advance(1_000);
    const { confirm } = store.registry;
    let arrive = () => {};
    const heard: number[] = [];
    store.registry.confirm = (at, signal) => {
      heard.push(at.version);
      return new Promise((resolve) => {
        arrive = () => resolve(confirm(at, signal));
      });
    };
    for (const id of ['a', 'b', 'c']) {
      touch(store, id);
      store.hint();
      await time.advance(100);
    }
    expect(heard).toEqual([1]);
    arrive();
    await settled();
    expect(heard).toEqual([1, 3]);
    arrive();
    await follower.stop();
  });

  it('that refuses is not asked more often than one that answers', async () => {
    const { store, follower, time } = followed();
    follower.start();
    await time.advance(1_000);
    let asked = 0;
    store.registry.confirm = () => {
      asked += 1;
      return Promise.reject(new Error('permission denied'));
    };
    for (let change = 1; change <= 50; change += 1) {
      touch(store, 'a');
      store.hint();
      await time.advance(20);
    }
    expect(asked).toBeLessThanOrEqual(6);
    await follower.stop();
  });

  it('gets a heartbeat every few seconds when nothing changes', async () => {
    const { store, follower, time } = followed();
    follower.start();
    await time.advance(60_000);
    expect(store.confirmed.length).toBeGreaterThanOrEqual(14);
    expect(store.confirmed.length).toBeLessThanOrEqual(21);
    await follower.stop();
  });

  it('that hangs does not keep changes from being applied, and hears of the newest later', async () => {
    const { store, follower, told, time } = followed();
    follower.start();
    await time.advance(100);
    const { confirm } = store.registry;
    store.registry.confirm = () => new Promise(() => {});
    for (const id of ['a', 'b', 'c']) {
      touch(store, id);
      store.hint();
      await time.advance(50);
    }
    expect(told.at(-1)).toBe('apply 3 key:c');
    store.registry.confirm = confirm;
    await time.advance(4_000);
    expect(store.confirmed.at(-1)).toEqual({ epoch: 'e1', version: 3 });
    await follower.stop();
  });
});

describe('stopping', () => {
  it('leaves the registry, and no timer behind', async () => {
    const { store, follower, time } = followed();
    follower.start();
    await time.advance(100);
    await follower.stop();
    expect(store.deregistered).toBe(1);
    const reads = store.reads;
    follower.hint();
    await time.advance(10_000);
    expect(store.reads).toBe(reads);
    expect(time.pendingTimers).toBe(0);
  });

  it('waits for an announcement under way, which would undo the departure, and makes none after it', async () => {
    const { store, follower, time } = followed();
    follower.start();
    await time.advance(1_000);
    const order: string[] = [];
    let arrive = () => {};
    store.registry.confirm = ({ version }) => {
      order.push(`announce ${version}`);
      return new Promise((resolve) => {
        arrive = resolve;
      });
    };
    store.registry.deregister = async () => void order.push('leave');
    for (const id of ['a', 'b']) {
      touch(store, id);
      store.hint();
      await time.advance(50);
    }
    const stopped = follower.stop();
    await settled();
    expect(order).toEqual(['announce 1']);
    arrive();
    await stopped;
    await time.advance(1_000);
    expect(order).toEqual(['announce 1', 'leave']);
    expect(time.pendingTimers).toBe(0);
  });

  it('while an announcement waits for its turn: it is not made', async () => {
    const { store, follower, time } = followed();
    follower.start();
    await time.advance(1_000);
    for (const id of ['a', 'b']) {
      touch(store, id);
      store.hint();
      await time.advance(50);
    }
    await follower.stop();
    expect(time.pendingTimers).toBe(0);
    expect(store.confirmed.at(-1)?.version).toBe(1);
  });

  it('asks nothing of the registry that never heard of this replica', async () => {
    const { store, follower, time } = followed();
    store.state = 'silent';
    follower.start();
    await time.advance(10_000);
    const stopped = follower.stop();
    // No time passes: a question to a silent store would wait for its deadline.
    expect(await Promise.race([stopped.then(() => 'stopped'), settled()])).toBe('stopped');
    expect(store.deregistered).toBe(0);
  });

  it.each(['away', 'silent'] as const)('ends even while the store is %s', async (state) => {
    const { store, follower, time } = followed();
    follower.start();
    await time.advance(100);
    store.state = state;
    store.hint();
    await settled();
    const stopped = follower.stop();
    await time.advance(4_000);
    await stopped;
    expect(time.pendingTimers).toBe(0);
  });
});

it('reports an error that is no outage, and goes on', async () => {
  const { store, follower, faults, told, time } = followed();
  follower.start();
  await time.advance(100);
  const bug = new Error('permission denied');
  const { changesAfter } = store.feed;
  store.feed.changesAfter = () => Promise.reject(bug);
  store.hint();
  await settled();
  expect(faults).toEqual([bug]);
  store.feed.changesAfter = changesAfter;
  touch(store, 'a');
  await time.advance(1_200);
  expect(told.at(-1)).toBe('apply 1 key:a');
  await follower.stop();
});
