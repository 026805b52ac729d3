import { type ClientBase, Pool, type PoolClient } from 'pg';
import { StoreUnavailableError } from '../model/change.ts';
import { clientConfig, connectionTarget, tlsForConnection, tlsOptions } from './client.ts';
import type { ConnectionTarget } from './connection-url.ts';
import { storeError } from './errors.ts';
import type { PostgresLog } from './log.ts';

export interface DatabaseOptions {
  readonly url: string;
  /** Shown in pg_stat_activity, for whoever looks at the server. */
  readonly applicationName: string;
  readonly log: PostgresLog;
  readonly connectionsMax?: number | undefined;
  readonly connectTimeoutMs?: number | undefined;
  /** From the moment a connection is had; the connection is given up with it. */
  readonly queryTimeoutMs?: number | undefined;
  /**
   * `false` behind a pooler that hands out connections by the transaction: no named statements, and no settings at
   * connection start, which such a pooler refuses.
   */
  readonly preparedStatements?: boolean | undefined;
}

/** With the one that listens, three connections per sidecar at most. */
export const CONNECTIONS_MAX_DEFAULT = 2;
const CONNECT_TIMEOUT_MS_DEFAULT = 3_000;
/** A lookup by digest takes a millisecond; who waits for seconds waits for a server in trouble. */
const QUERY_TIMEOUT_MS_DEFAULT = 5_000;
/** One of the two connections is kept busy by the follower's poll; the other may go when it is not needed. */
const IDLE_TIMEOUT_MS = 60_000;
/** So that connections find their way to a new primary behind the same name, even where nothing breaks. */
const LIFETIME_SECONDS_MAX = 1_800;

export interface Statement {
  /** Names the plan on the server, unless named statements are switched off. One name, one text. */
  readonly name: string;
  readonly text: string;
}

export interface Session {
  /** The rows as `pg` reads them: `Row` says what the statement selects. */
  query<Row extends object>(statement: Statement, values: readonly unknown[]): Promise<Row[]>;
}

/**
 * Every call rejects with StoreUnavailableError for an outage and with StoreFaultError for a refused statement. An
 * aborted call gives its connection up: a black-holed query does not hold one for ever.
 */
export interface Database {
  query<Row extends object>(
    statement: Statement,
    values: readonly unknown[],
    signal: AbortSignal,
  ): Promise<Row[]>;
  /** Commits what `work` did when it resolves, and nothing of it when it rejects. READ COMMITTED. */
  transaction<T>(work: (session: Session) => Promise<T>, signal: AbortSignal): Promise<T>;
  /** Connections open at this moment. */
  connections(): number;
  close(): Promise<void>;
}

/** Opens no connection yet. Throws ConnectionUrlError, or the error of a certificate file that cannot be read. */
export function createDatabase(options: DatabaseOptions): Database {
  const target = connectionTarget(options.url);
  if (target.tls !== 'off') tlsOptions(target);
  const prepared = options.preparedStatements ?? true;
  const queryTimeoutMs = options.queryTimeoutMs ?? QUERY_TIMEOUT_MS_DEFAULT;
  const pool = createPool(options, target);
  const lease = createLease(pool, { target, queryTimeoutMs });

  const sessionOn = (client: ClientBase): Session => ({
    async query<Row extends object>(statement: Statement, values: readonly unknown[]) {
      const named = prepared ? { name: statement.name } : {};
      const result = await client.query<Row>({
        ...named,
        text: statement.text,
        values: [...values],
      });
      return result.rows;
    },
  });

  return {
    query: (statement, values, signal) =>
      lease((client) => sessionOn(client).query(statement, values), signal),
    transaction: (work, signal) =>
      lease(async (client) => {
        await client.query('BEGIN');
        try {
          const result = await work(sessionOn(client));
          await client.query('COMMIT');
          return result;
        } catch (error) {
          // A connection that cannot even roll back is destroyed below, which rolls back as well.
          await client.query('ROLLBACK').catch(() => {});
          throw error;
        }
      }, signal),
    connections: () => pool.totalCount,
    close: () => (pool.ending ? Promise.resolve() : pool.end()),
  };
}

function createPool(options: DatabaseOptions, target: ConnectionTarget): Pool {
  const prepared = options.preparedStatements ?? true;
  const pool = new Pool({
    ...clientConfig(target, {
      applicationName: options.applicationName,
      connectTimeoutMs: options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS_DEFAULT,
      statementTimeoutMs: prepared
        ? (options.queryTimeoutMs ?? QUERY_TIMEOUT_MS_DEFAULT)
        : undefined,
    }),
    max: options.connectionsMax ?? CONNECTIONS_MAX_DEFAULT,
    idleTimeoutMillis: IDLE_TIMEOUT_MS,
    maxLifetimeSeconds: LIFETIME_SECONDS_MAX,
  });
  // An idle connection that breaks tells nobody else; without a listener it would end the process.
  pool.on('error', (error) => {
    options.log('warn', 'An idle connection to Postgres was lost.', { cause: error.message });
  });
  return pool;
}

type Lease = <T>(work: (client: PoolClient) => Promise<T>, signal: AbortSignal) => Promise<T>;

/** Runs work on a connection of the pool, and gives the connection back: whole, or destroyed when in doubt. */
function createLease(
  pool: Pool,
  { target, queryTimeoutMs }: { target: ConnectionTarget; queryTimeoutMs: number },
): Lease {
  /** Connections are checked once: afterwards a server does not become a standby without ending them. */
  const checked = new WeakSet<PoolClient>();

  return async (work, signal) => {
    const client = await acquire(pool, target, signal);
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

async function acquire(
  pool: Pool,
  target: ConnectionTarget,
  signal: AbortSignal,
): Promise<PoolClient> {
  if (signal.aborted) throw givenUpByCaller();
  let abandoned = false;
  const connecting = (async () => {
    if (pool.idleCount === 0) {
      pool.options.ssl = await tlsForConnection(target, pool.options.connectionTimeoutMillis ?? 0);
    }
    return pool.connect();
  })();
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
