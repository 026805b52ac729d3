import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import type { ChangeHints } from '../cache/ports.ts';
import { clientConfig, connectionTarget, tlsForConnection, tlsOptions } from './client.ts';
import type { ConnectionTarget } from './connection-url.ts';
import { storeError } from './errors.ts';
import type { PostgresLog } from './log.ts';

export interface ChangeHintsOptions {
  /** A direct address: behind a pooler that works by the transaction LISTEN does not work. */
  readonly url: string;
  readonly applicationName: string;
  readonly log: PostgresLog;
  /** From 0 up to 1; jitter keeps a fleet from coming back in one moment. */
  readonly random: () => number;
  /** How often the connection is asked whether it still listens. */
  readonly heartbeatMs?: number | undefined;
  readonly heartbeatTimeoutMs?: number | undefined;
  readonly backoffMsMin?: number | undefined;
  readonly backoffMsMax?: number | undefined;
}

const CHANNEL = 'latchkey_changes';
const CONNECT_TIMEOUT_MS = 5_000;
const HEARTBEAT_MS_DEFAULT = 10_000;
const HEARTBEAT_TIMEOUT_MS_DEFAULT = 5_000;
/** Doubled with each failure: 100, 200, 400 … ms up to the maximum, each shortened by up to half at random. */
const BACKOFF_MS_MIN_DEFAULT = 100;
const BACKOFF_MS_MAX_DEFAULT = 10_000;

type Handlers = Parameters<ChangeHints['start']>[0];

/**
 * Listens on a connection of its own, for as long as it runs. A connection that has silently died gives neither an
 * error nor an end, so it is asked at intervals what it listens to; that also finds out a pooler that took the LISTEN
 * for one transaction only. Throws for a URL that cannot be used.
 */
export function createChangeHints(options: ChangeHintsOptions): ChangeHints {
  const target = connectionTarget(options.url);
  if (target.tls !== 'off') tlsOptions(target);
  const stopping = new AbortController();
  let running: Promise<void> | undefined;
  return {
    start(handlers) {
      running ??= listenUntilStopped(target, { options, handlers, stop: stopping.signal });
    },
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

interface Listening {
  readonly options: ChangeHintsOptions;
  readonly handlers: Handlers;
  readonly stop: AbortSignal;
}

async function listenUntilStopped(target: ConnectionTarget, context: Listening): Promise<void> {
  const { options, handlers, stop } = context;
  let failures = 0;
  // A pooler takes every LISTEN for one transaction: after the first, one has to prove itself before it counts.
  let isDoubted = false;
  while (!stop.aborted) {
    let connected = false;
    const setConnected = (): void => {
      if (!connected) handlers.onState(true);
      connected = true;
    };
    const stopped = untilAborted(stop);
    try {
      await listenOnce(target, {
        ...{ options, handlers, stop, stopped: stopped.promise },
        onListening() {
          if (!isDoubted) setConnected();
          // Whatever was notified while nobody listened is found by the poll that this asks for.
          handlers.onHint();
        },
        onProven() {
          if (failures > 0) options.log('info', 'Listening for changes again.');
          failures = 0;
          isDoubted = false;
          setConnected();
        },
        onDeaf() {
          isDoubted = true;
        },
      });
    } catch (error) {
      if (connected) handlers.onState(false);
      failures += 1;
      // The first failure is news, the following ones are not; nor is that of a connection that never held.
      options.log(failures === 1 ? 'warn' : 'debug', 'Not listening for changes.', {
        cause: storeError(error).message,
      });
      await delay(backoffMs(failures, options), undefined, { signal: stop }).catch(() => {});
    } finally {
      stopped.forget();
    }
  }
}

/** Anew for each connection, and forgotten with it: over days of an outage there are thousands. */
function untilAborted(signal: AbortSignal): { promise: Promise<'stopped'>; forget(): void } {
  let onAbort = () => {};
  const promise = new Promise<'stopped'>((resolve) => {
    onAbort = () => resolve('stopped');
  });
  signal.addEventListener('abort', onAbort);
  return { promise, forget: () => signal.removeEventListener('abort', onAbort) };
}

function backoffMs(failures: number, options: ChangeHintsOptions): number {
  const min = options.backoffMsMin ?? BACKOFF_MS_MIN_DEFAULT;
  const max = options.backoffMsMax ?? BACKOFF_MS_MAX_DEFAULT;
  const full = Math.min(max, min * 2 ** Math.min(failures - 1, 30));
  return full * (1 - options.random() / 2);
}

interface Connection extends Listening {
  readonly stopped: Promise<'stopped'>;
  readonly onListening: () => void;
  /** It still listens after a while; behind a pooler it would not. */
  readonly onProven: () => void;
  /** It answers, and does not listen. */
  readonly onDeaf: () => void;
}

/** One connection's life. Resolves only when told to stop; rejects when the connection is of no more use. */
async function listenOnce(target: ConnectionTarget, connection: Connection): Promise<void> {
  const { options, handlers, stopped } = connection;
  const ssl = await Promise.race([tlsForConnection(target, CONNECT_TIMEOUT_MS), stopped]);
  if (ssl === 'stopped') return;
  const client = new Client({
    ...clientConfig(target, {
      applicationName: options.applicationName,
      connectTimeoutMs: CONNECT_TIMEOUT_MS,
      statementTimeoutMs: undefined,
    }),
    ssl,
  });
  const broken = new Promise<never>((_, reject) => {
    client.on('error', reject);
    client.on('end', () => reject(new Error('the connection has ended')));
  });
  broken.catch(() => {});
  const timeoutMs = options.heartbeatTimeoutMs ?? HEARTBEAT_TIMEOUT_MS_DEFAULT;
  try {
    client.on('notification', () => handlers.onHint());
    const listening = async () => {
      await client.connect();
      // Outside a transaction, so committed when it returns: only from then on is a read safe to build upon.
      await within(timeoutMs, client.query(`LISTEN ${CHANNEL}`));
      return 'listening' as const;
    };
    if ((await Promise.race([listening(), broken, stopped])) === 'stopped') return;
    connection.onListening();
    await Promise.race([beat(client, timeoutMs, connection), broken, stopped]);
  } finally {
    // No goodbye: a dead connection would never answer it, and the server forgets a listener that is gone.
    client.connection.stream.destroy();
  }
}

async function beat(
  client: Client,
  timeoutMs: number,
  { options, stop, onProven, onDeaf }: Connection,
): Promise<void> {
  const text = 'SELECT 1 FROM pg_listening_channels() AS t (channel) WHERE channel = $1';
  while (!stop.aborted) {
    await delay(options.heartbeatMs ?? HEARTBEAT_MS_DEFAULT, undefined, { signal: stop }).catch(
      () => {},
    );
    if (stop.aborted) return;
    const { rowCount } = await within(timeoutMs, client.query(text, [CHANNEL]));
    if (rowCount === 0) {
      onDeaf();
      throw new Error(
        'the connection no longer listens (is it a pooler? LISTEN needs a direct one)',
      );
    }
    onProven();
  }
}

async function within<T>(timeoutMs: number, answer: Promise<T>): Promise<T> {
  // The loser of the race may still fail, when nobody listens to it any more.
  answer.catch(() => {});
  const timer = new AbortController();
  const late = delay(timeoutMs, undefined, { signal: timer.signal }).then(() => {
    throw new Error(`no answer within ${timeoutMs} ms`);
  });
  late.catch(() => {});
  try {
    return await Promise.race([answer, late]);
  } finally {
    timer.abort();
  }
}
