import type { Result } from '../accounts/result.ts';
import { refusal } from '../accounts/result.ts';
import type { StoreConfig } from '../config/serve-config.ts';
import { ConnectionUrlError } from '../postgres/client.ts';
import { findEmbeddedPostgres } from '../postgres/embedded.ts';
import { EmbeddedPostgresError } from '../postgres/embedded-error.ts';
import { startKeptPostgres } from '../postgres/embedded-keeper.ts';
import type { PostgresLog } from '../postgres/log.ts';
import { migrate } from '../postgres/migrate.ts';
import { createDatabase, type Database } from '../postgres/pool.ts';

/** The database of one process, and the embedded server under it where there is one. */
export interface OpenStore {
  readonly database: Database;
  readonly url: string;
  /** For LISTEN: a direct address. */
  readonly listenUrl: string;
  /** Resolves when an embedded server ended and cannot be brought back, with what to tell the operator. */
  readonly lost: Promise<string>;
  close(): Promise<void>;
}

export interface StoreOptions {
  readonly applicationName: string;
  readonly log: PostgresLog;
  /** What to do with a folder whose server runs already: a command joins it, a server refuses it. */
  readonly running: 'join' | 'refuse';
}

/**
 * Opens the store. A database behind a URL is taken as it is, migrated or not, there or not; an embedded one is started
 * and brought up to date, since there is nobody else to do it.
 */
export async function openStore(
  config: StoreConfig,
  options: StoreOptions,
): Promise<Result<OpenStore>> {
  try {
    if (config.kind === 'database') {
      const database = createDatabase({ ...config, ...options });
      const listenUrl = config.listenUrl ?? config.url;
      const close = () => database.close();
      return okStore({ database, url: config.url, listenUrl, lost: NEVER, close });
    }
    return okStore(await openEmbedded(config.dataDir, options));
  } catch (error) {
    if (error instanceof ConnectionUrlError || error instanceof EmbeddedPostgresError) {
      return refusal('invalid', error.message);
    }
    throw error;
  }
}

const NEVER = new Promise<never>(() => {});

const okStore = (value: OpenStore): Result<OpenStore> => ({ kind: 'ok', value });

async function openEmbedded(dataDir: string, options: StoreOptions): Promise<OpenStore> {
  const runningUrl = options.running === 'join' ? await findEmbeddedPostgres(dataDir) : undefined;
  if (runningUrl !== undefined) {
    const database = createDatabase({ url: runningUrl, ...options });
    return {
      database,
      url: runningUrl,
      listenUrl: runningUrl,
      lost: NEVER,
      close: () => database.close(),
    };
  }
  const server = await startKeptPostgres({ dataDir, log: options.log });
  const { url, lost } = server;
  try {
    await migrate(url, { log: options.log });
  } catch (error) {
    await server.stop();
    throw error;
  }
  const database = createDatabase({ url, ...options });
  return {
    database,
    url,
    listenUrl: url,
    lost,
    async close() {
      await database.close();
      await server.stop();
    },
  };
}
