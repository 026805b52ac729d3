import { Client, type ClientBase, type ClientConfig, Pool } from 'pg';
import { clientConfig, connectionTarget, tlsOptions } from './client.ts';
import type { ConnectionTarget } from './connection-url.ts';
import { createLease } from './lease.ts';
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
const CONNECTIONS_MAX_DEFAULT = 2;
const CONNECT_TIMEOUT_MS_DEFAULT = 3_000;
/** A lookup by digest takes a millisecond; who waits for seconds waits for a server in trouble. */
const QUERY_TIMEOUT_MS_DEFAULT = 5_000;
/** One of the two connections is kept busy by the follower's poll; the other may go when it is not needed. */
const IDLE_TIMEOUT_MS = 60_000;
/** So that connections find their way to a new primary behind the same name, even where nothing breaks. */
const LIFETIME_SECONDS_MAX = 1_800;

const GOODBYE_MS_MAX = 1_000;

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

/** Opens no connection yet. Throws ConnectionUrlError, also for a certificate file that cannot be read. */
export function createDatabase(options: DatabaseOptions): Database {
  const target = connectionTarget(options.url);
  if (target.tls !== 'off') tlsOptions(target);
  const prepared = options.preparedStatements ?? true;
  const queryTimeoutMs = options.queryTimeoutMs ?? QUERY_TIMEOUT_MS_DEFAULT;
  const open = new Set<Client>();
  const pool = createPool(options, { target, open });
  const lease = createLease(pool, { target, queryTimeoutMs });
  let closing: Promise<void> | undefined;

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
        await client.query('BEGIN ISOLATION LEVEL READ COMMITTED');
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
    close() {
      closing ??= closePool(pool, open);
      return closing;
    },
  };
}

function createPool(
  options: DatabaseOptions,
  { target, open }: { readonly target: ConnectionTarget; readonly open: Set<Client> },
): Pool {
  const prepared = options.preparedStatements ?? true;
  const pool = new Pool({
    ...clientConfig(target, {
      applicationName: options.applicationName,
      connectTimeoutMs: options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS_DEFAULT,
      statementTimeoutMs: prepared
        ? (options.queryTimeoutMs ?? QUERY_TIMEOUT_MS_DEFAULT)
        : undefined,
    }),
    Client: trackedIn(open),
    max: options.connectionsMax ?? CONNECTIONS_MAX_DEFAULT,
    idleTimeoutMillis: IDLE_TIMEOUT_MS,
    maxLifetimeSeconds: LIFETIME_SECONDS_MAX,
  });
  // An idle connection that breaks tells nobody else; without a listener it would end the process.
  pool.on('error', (error) => {
    // The goodbye is on its way, and the server may hang up before it has come.
    if (pool.ending) return;
    options.log('warn', 'An idle connection to Postgres was lost.', { cause: error.message });
  });
  return pool;
}

/** A pool tells of connections that were made; to leave in time those that are being made have to be known as well. */
function trackedIn(open: Set<Client>): new (config?: ClientConfig) => Client {
  return class extends Client {
    constructor(config?: ClientConfig) {
      super(config);
      open.add(this);
      this.once('end', () => open.delete(this));
    }
  };
}

/** Says goodbye, and leaves without an answer after a while: a dead connection would keep the process alive. */
async function closePool(pool: Pool, open: ReadonlySet<Client>): Promise<void> {
  const timer = setTimeout(() => {
    for (const client of open) client.connection.stream.destroy();
  }, GOODBYE_MS_MAX);
  // Connections that are still open keep the process alive by themselves; once they are gone nothing should.
  timer.unref();
  await pool.end();
}
