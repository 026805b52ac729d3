import { describe, expect, it } from 'vitest';
import {
  createLifecycle,
  type LifecycleEvent,
  type StopPhase,
  stopOnSignals,
} from '../../src/lifecycle.ts';
import type { Schedule } from '../../src/model/clock.ts';

/** Time that moves only when told to, and then runs what has come due, in order. */
function fakeTime() {
  let nowMs = 1000;
  const due = new Set<{ readonly atMs: number; readonly run: () => void }>();
  const schedule: Schedule = (run, delayMs) => {
    const entry = { atMs: nowMs + delayMs, run };
    due.add(entry);
    return () => due.delete(entry);
  };
  return {
    clock: () => ({ wallMs: nowMs, monoMs: nowMs }),
    schedule,
    get pending() {
      return due.size;
    },
    async advance(byMs: number) {
      const untilMs = nowMs + byMs;
      for (;;) {
        await settle();
        const next = [...due].sort((a, b) => a.atMs - b.atMs)[0];
        if (next === undefined || next.atMs > untilMs) break;
        nowMs = next.atMs;
        due.delete(next);
        next.run();
      }
      nowMs = untilMs;
      await settle();
    },
  };
}

/** Lets every promise that can go on do so; no phase here waits for more than a few. */
const settle = async () => {
  for (let i = 0; i < 20; i++) await Promise.resolve();
};

function start(settleMs = 0) {
  const time = fakeTime();
  const events: LifecycleEvent[] = [];
  const { clock, schedule } = time;
  const onEvent = (event: LifecycleEvent) => events.push(event);
  return { time, events, lifecycle: createLifecycle({ clock, schedule, onEvent, settleMs }) };
}

const phase = (name: string, run: StopPhase['run'], deadlineMs = 1000): StopPhase => ({
  name,
  deadlineMs,
  run,
});
const forEver = () => new Promise<never>(() => {});

describe('readiness', () => {
  it.each([
    [['ready', 'ready'], 'ready'],
    [['ready', 'degraded'], 'degraded'],
    [['degraded', 'not_ready'], 'not_ready'],
    [['ready', 'not_ready'], 'not_ready'],
    [['ready', 'starting'], 'not_ready'],
    [['starting', 'starting'], 'not_ready'],
    [[], 'not_ready'],
  ] as const)('of the parts %j is %s', (states, expected) => {
    const { lifecycle } = start();
    const parts = states.map((_, i) => lifecycle.part(`part ${i}`));
    states.forEach((state, i) => {
      if (state === 'ready') parts[i]?.ready();
      if (state === 'degraded') parts[i]?.degraded('a reason');
      if (state === 'not_ready') parts[i]?.notReady('a reason');
    });
    expect(lifecycle.readiness().state).toBe(expected);
  });

  it('names each part, its state and why', () => {
    const { lifecycle } = start();
    lifecycle.part('policy').ready();
    lifecycle.part('postgres').degraded('connection lost');
    lifecycle.part('listener');
    expect(lifecycle.readiness().parts).toEqual([
      { name: 'process', state: 'ready', sinceMs: 1000 },
      { name: 'policy', state: 'ready', sinceMs: 1000 },
      { name: 'postgres', state: 'degraded', reason: 'connection lost', sinceMs: 1000 },
      { name: 'listener', state: 'not_ready', reason: 'starting', sinceMs: 1000 },
    ]);
  });

  it('tells since when a part is in its state, and how long it had been in the one before', async () => {
    const { lifecycle, events, time } = start();
    const postgres = lifecycle.part('postgres');
    await time.advance(2000);
    postgres.ready();
    await time.advance(60_000);
    postgres.degraded('connection lost');
    await time.advance(500);
    postgres.degraded('connection lost');
    expect(lifecycle.readiness().parts[1]).toMatchObject({ state: 'degraded', sinceMs: 63_000 });
    const changes = events.flatMap((event) => (event.kind === 'part_changed' ? [event] : []));
    expect(changes.map(({ from, part, lastedMs }) => [from, part.state, lastedMs])).toEqual([
      [undefined, 'not_ready', 0],
      ['not_ready', 'ready', 2000],
      ['ready', 'degraded', 60_000],
    ]);
  });

  it('survives the loss of a part that had been ready, as degraded', () => {
    const { lifecycle, events } = start();
    const postgres = lifecycle.part('postgres');
    postgres.ready();
    postgres.degraded('connection lost');
    postgres.degraded('connection lost');
    postgres.ready();
    expect(changes(events)).toEqual(['not_ready → ready', 'ready → degraded', 'degraded → ready']);
    expect(events.filter(({ kind }) => kind === 'part_changed')).toHaveLength(4);
  });

  it('ends at once when the stop begins, before anything is closed', () => {
    const { lifecycle, events } = start(5000);
    lifecycle.part('policy').ready();
    void lifecycle.stop('SIGTERM');
    expect(lifecycle.readiness()).toMatchObject({
      state: 'not_ready',
      parts: [{ name: 'process', reason: 'draining' }, { name: 'policy' }],
    });
    expect(changes(events)).toEqual(['not_ready → ready', 'ready → not_ready']);
  });

  it('refuses two parts of one name, which would hide each other', () => {
    const { lifecycle } = start();
    lifecycle.part('policy');
    expect(() => lifecycle.part('policy')).toThrow('the part policy is declared twice');
  });
});

describe('a stop', () => {
  it('runs the phases one by one, the last opened first, after the settling time', async () => {
    const { lifecycle, time, events } = start(5000);
    lifecycle.part('policy').ready();
    const ran: string[] = [];
    const take = (name: string, tookMs: number) =>
      phase(name, async () => {
        ran.push(`${name} begins`);
        await new Promise<void>((resolve) => time.schedule(resolve, tookMs));
        ran.push(`${name} ends`);
      });
    lifecycle.onStop(take('postgres', 10));
    lifecycle.onStop(take('grpc', 20));
    const stopped = lifecycle.stop('SIGTERM');
    await time.advance(4999);
    expect(ran).toEqual([]);
    await time.advance(1);
    expect(ran).toEqual(['grpc begins']);
    await time.advance(30);
    expect(ran).toEqual(['grpc begins', 'grpc ends', 'postgres begins', 'postgres ends']);
    expect(await stopped).toEqual({
      exitCode: 0,
      phases: [
        { phase: 'grpc', outcome: 'done', durationMs: 20 },
        { phase: 'postgres', outcome: 'done', durationMs: 10 },
      ],
    });
    expect(events).toContainEqual({ kind: 'stop_began', reason: 'SIGTERM', budgetMs: 7000 });
    expect(time.pending).toBe(0);
  });

  it('leaves a phase behind that hangs, names it, and closes the rest', async () => {
    const { lifecycle, time } = start();
    lifecycle.onStop(phase('postgres', async () => {}));
    lifecycle.onStop(phase('grpc', forEver, 300));
    const stopped = lifecycle.stop('SIGTERM');
    await time.advance(300);
    expect(await stopped).toEqual({
      exitCode: 1,
      phases: [
        { phase: 'grpc', outcome: 'cut', durationMs: 300 },
        { phase: 'postgres', outcome: 'done', durationMs: 0 },
      ],
    });
  });

  it.each([
    ['rejects', () => Promise.reject(new Error('refused'))],
    [
      'throws',
      () => {
        throw new Error('refused');
      },
    ],
  ])('goes on after a phase that %s, and exits with 1', async (_, run) => {
    const { lifecycle, events } = start();
    lifecycle.onStop(phase('postgres', async () => {}));
    lifecycle.onStop(phase('grpc', run));
    expect(await lifecycle.stop('SIGTERM')).toMatchObject({
      exitCode: 1,
      phases: [{ outcome: 'failed' }, { outcome: 'done' }],
    });
    expect(events).toContainEqual({
      kind: 'phase_ended',
      phase: 'grpc',
      outcome: 'failed',
      durationMs: 0,
      error: new Error('refused'),
    });
  });

  it('does not wait for anybody to notice when the process never was in traffic', async () => {
    const { lifecycle } = start(60_000);
    lifecycle.part('listener');
    let closed = false;
    lifecycle.onStop(
      phase('postgres', async () => {
        closed = true;
      }),
    );
    expect((await lifecycle.stop('the start failed')).exitCode).toBe(0);
    expect(closed).toBe(true);
  });

  it('also closes what is opened while it runs', async () => {
    const { lifecycle } = start();
    const closed: string[] = [];
    lifecycle.onStop(
      phase('first', async () => {
        closed.push('first');
        lifecycle.onStop(phase('late', async () => closed.push('late')));
      }),
    );
    await lifecycle.stop('SIGTERM');
    expect(closed).toEqual(['first', 'late']);
  });

  it('happens once, whoever asks', async () => {
    const { lifecycle } = start();
    let runs = 0;
    lifecycle.onStop(
      phase('grpc', async () => {
        runs++;
      }),
    );
    const [one, other] = await Promise.all([lifecycle.stop('SIGTERM'), lifecycle.stop('a fault')]);
    expect(one).toBe(other);
    expect(runs).toBe(1);
  });
});

describe('signals', () => {
  function withSignals() {
    const { lifecycle, time } = start();
    const handlers = new Map<string, () => void>();
    const exits: number[] = [];
    stopOnSignals(lifecycle, {
      signals: { on: (signal, run) => handlers.set(signal, run) },
      exit: (code) => exits.push(code),
    });
    return { lifecycle, time, exits, send: (signal: string) => handlers.get(signal)?.() };
  }

  it.each(['SIGTERM', 'SIGINT'])('%s stops in order and exits with 0', async (signal) => {
    const { lifecycle, time, exits, send } = withSignals();
    lifecycle.onStop(phase('grpc', async () => {}));
    send(signal);
    await time.advance(0);
    expect(exits).toEqual([0]);
  });

  it('exits with 1 after a phase that had to be cut', async () => {
    const { lifecycle, time, exits, send } = withSignals();
    lifecycle.onStop(phase('grpc', forEver));
    send('SIGTERM');
    await time.advance(999);
    expect(exits).toEqual([]);
    await time.advance(1);
    expect(exits).toEqual([1]);
  });

  it.each([
    ['SIGTERM', 143],
    ['SIGINT', 130],
  ])('a second one, %s, exits at once with %d', (second, code) => {
    const { lifecycle, exits, send } = withSignals();
    lifecycle.onStop(phase('grpc', forEver));
    send('SIGTERM');
    send(second);
    expect(exits).toEqual([code]);
  });
});

const changes = (events: readonly LifecycleEvent[]): string[] =>
  events.flatMap((event) =>
    event.kind === 'readiness_changed' ? [`${event.from} → ${event.to}`] : [],
  );
