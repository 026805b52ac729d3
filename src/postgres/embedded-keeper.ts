import { setTimeout as delay } from 'node:timers/promises';
import {
  type EmbeddedPostgres,
  type EmbeddedPostgresOptions,
  startEmbeddedPostgres,
} from './embedded.ts';
import { EmbeddedPostgresError } from './embedded-error.ts';

/** An embedded server that is started again, at the same address, when it ends unasked. */
export interface KeptPostgres {
  /** Holds the password: never to be logged. */
  readonly url: string;
  /** Resolves when it cannot be kept running, with what to tell the operator. */
  readonly lost: Promise<string>;
  /** Ends it for good. */
  stop(): Promise<void>;
}

/** One that ends again so soon after it was started again will not stay the next time either. */
const STEADY_AFTER_MS = 60_000;

/**
 * Before each attempt to start it again: 0.1, 0.2, 0.4 … 3.2 s. What was left of the old one (its children, its port) is gone
 * within milliseconds as a rule.
 */
const PAUSE_MS_MIN = 100;
const ATTEMPTS_MAX = 6;

/**
 * Whoever has latchkey run the database has nobody else to bring it back: a server that was killed, for want of memory perhaps,
 * is started again while known keys go on working from memory.
 */
export async function startKeptPostgres(options: EmbeddedPostgresOptions): Promise<KeptPostgres> {
  const first = await startEmbeddedPostgres(options);
  const keeper: Keeper = {
    options: { ...options, port: first.port },
    stopping: new AbortController(),
    server: first,
  };
  const keeping = keep(keeper);
  const lost = new Promise<string>((resolve, reject) => {
    keeping.then((why) => (why === 'stopped' ? undefined : resolve(why)), reject);
  });
  // A bug is told to whoever waits for it, and to nobody where nobody does.
  lost.catch(() => {});
  return {
    url: first.url,
    lost,
    async stop() {
      keeper.stopping.abort();
      await keeper.server.stop();
      await keeping.catch(() => {});
    },
  };
}

interface Keeper {
  readonly options: EmbeddedPostgresOptions;
  readonly stopping: AbortController;
  server: EmbeddedPostgres;
}

/** Resolves with why it gave up. */
async function keep(keeper: Keeper): Promise<string> {
  const { options, stopping } = keeper;
  for (let startedMs = Number.NEGATIVE_INFINITY; ; startedMs = performance.now()) {
    const how = await keeper.server.exited;
    if (stopping.signal.aborted) return 'stopped';
    if (performance.now() - startedMs < STEADY_AFTER_MS) {
      return `The embedded Postgres ended again soon after it was started again (${how}). Use a database URL where it cannot be relied on.`;
    }
    options.log('error', 'The embedded Postgres ended unexpectedly; it is started again.', { how });
    const problem = await startAgain(keeper);
    if (problem !== undefined) return problem;
  }
}

/** `undefined`: it runs. */
async function startAgain(keeper: Keeper): Promise<string | undefined> {
  const { options, stopping } = keeper;
  let problem = '';
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
    const pauseMs = PAUSE_MS_MIN * 2 ** attempt;
    await delay(pauseMs, undefined, { signal: stopping.signal }).catch(() => {});
    if (stopping.signal.aborted) return 'stopped';
    try {
      keeper.server = await startEmbeddedPostgres(options);
      // Told to stop meanwhile.
      if (stopping.signal.aborted) await keeper.server.stop();
      return undefined;
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      // Any other error is what a client of ours met when the new server ended under it: that is for the next attempt.
      problem =
        error instanceof EmbeddedPostgresError ? error.message : 'It ended while it was starting.';
      options.log('warn', 'The embedded Postgres could not be started again yet.', { problem });
    }
  }
  return `The embedded Postgres ended and could not be started again. ${problem}`;
}
