import type { ClientBase, Pool, PoolClient } from 'pg';
import { StoreUnavailableError } from '../model/change.ts';
import { tlsForConnection } from './client.ts';
import type { ConnectionTarget } from './connection-url.ts';
import { storeError } from './errors.ts';

export type Lease = <T>(
  work: (client: PoolClient) => Promise<T>,
  signal: AbortSignal,
) => Promise<T>;

/** Runs work on a connection of the pool, and gives the connection back: whole, or destroyed when in doubt. */
export function createLease(
  pool: Pool,
  { target, queryTimeoutMs }: { target: ConnectionTarget; queryTimeoutMs: number },
): Lease {
  /** Connections are checked once: afterwards a server does not become a standby without ending them. */
  const checked = new WeakSet<PoolClient>();
  const connect = createConnect(pool, target);

  return async (work, signal) => {
    const client = await acquire(connect, signal);
    let giveUp: (error: Error) => void = () => {};
    const givenUp = new Promise<never>((_, reject) => {
      giveUp = reject;
    });
    const onAbort = () => giveUp(givenUpByCaller());
    const timer = setTimeout(
      () =>
        giveUp(new StoreUnavailableError(`Postgres did not answer within ${queryTimeoutMs} ms.`)),
      queryTimeoutMs,
    );
    signal.addEventListener('abort', onAbort, { once: true });
    const ignoreError = () => {
      // The query that the broken connection carried rejects as well, and that is the one that is heard.
    };
    client.on('error', ignoreError);
    let whole = false;
    try {
      if (signal.aborted) onAbort();
      const doing = (async () => {
        if (!checked.has(client)) await requirePrimary(client);
        checked.add(client);
        return work(client);
      })();
      // After giving up, the abandoned work still rejects; nobody waits for it.
      doing.catch(() => {});
      const result = await Promise.race([doing, givenUp]);
      whole = true;
      return result;
    } catch (error) {
      const translated = storeError(error);
      whole =
        !(translated instanceof StoreUnavailableError) && client.getTransactionStatus() === 'I';
      throw translated;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      client.off('error', ignoreError);
      // Destroyed, not said goodbye to: a black hole would never answer, and the slot would stay taken.
      if (!whole) client.connection.stream.destroy();
      client.release(!whole);
    }
  };
}

/** A connection of the pool, old or new. Whoever needs a new one at the same time shares the question about TLS. */
function createConnect(pool: Pool, target: ConnectionTarget): () => Promise<PoolClient> {
  let asking: Promise<void> | undefined;
  const prepareTls = async () => {
    try {
      pool.options.ssl = await tlsForConnection(target, pool.options.connectionTimeoutMillis ?? 0);
    } finally {
      asking = undefined;
    }
  };
  return async () => {
    if (pool.idleCount === 0 && pool.totalCount < pool.options.max) {
      asking ??= prepareTls();
      await asking;
    }
    return pool.connect();
  };
}

async function acquire(
  connect: () => Promise<PoolClient>,
  signal: AbortSignal,
): Promise<PoolClient> {
  if (signal.aborted) throw givenUpByCaller();
  let abandoned = false;
  const connecting = connect();
  connecting.then((client) => (abandoned ? client.release() : undefined)).catch(() => {});
  let onAbort = () => {};
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(givenUpByCaller());
  });
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([connecting, aborted]);
  } catch (error) {
    abandoned = true;
    throw storeError(error);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

async function requirePrimary(client: ClientBase): Promise<void> {
  const result = await client.query<{ read_only: boolean }>(
    "SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean AS read_only",
  );
  if (result.rows[0]?.read_only !== false) {
    throw new StoreUnavailableError(
      'Connected to a Postgres that takes no writes (a standby): name the primary in the database URL.',
    );
  }
}

function givenUpByCaller(): StoreUnavailableError {
  return new StoreUnavailableError('The call to Postgres was given up.');
}
