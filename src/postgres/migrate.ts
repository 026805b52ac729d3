import { fileURLToPath } from 'node:url';
import { Client } from 'pg';
import { ConnectionUrlError, clientConfig, connectionTarget, tlsForConnection } from './client.ts';
import { storeError } from './errors.ts';
import type { PostgresLog } from './log.ts';

export interface MigrateOptions {
  readonly log: PostgresLog;
  /** Where the .sql files lie; tests add a later one. */
  readonly migrationsDir?: string | undefined;
}

export interface Migrated {
  /** Names of the migrations that this run applied; empty when there was nothing to do. */
  readonly applied: readonly string[];
  /** Database roles that do not exist and could not be made here; see docs/postgres.md. */
  readonly missingRoles: readonly string[];
}

/** The schema cannot be migrated by this user. */
export class MigrationError extends Error {
  override readonly name = 'MigrationError';
}

export const MIGRATIONS_DIR = fileURLToPath(new URL('./migrations', import.meta.url));

const CONNECT_TIMEOUT_MS = 10_000;
/**
 * Ours, so that other programs on node-pg-migrate in the same cluster do not wait for us. The lock is of the session:
 * a migrator that dies frees it.
 */
const LOCK_ID = 5_131_724_088;
const MIGRATE_ROLE = 'latchkey_migrate';
const ROLES = ['latchkey_check', 'latchkey_api', MIGRATE_ROLE] as const;

/**
 * Brings the database up to this binary's schema, forward only, in one transaction. Two at once are safe: the second
 * waits and finds nothing to do. Needs a direct connection (or a pooler by session), for the lock belongs to one.
 */
export async function migrate(url: string, options: MigrateOptions): Promise<Migrated> {
  const target = connectionTarget(url);
  const settings = {
    applicationName: 'latchkey-migrate',
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    statementTimeoutMs: undefined,
  };
  const { log } = options;
  try {
    const client = new Client({
      ...clientConfig(target, settings),
      ssl: await tlsForConnection(target, CONNECT_TIMEOUT_MS),
    });
    client.on('error', (error) =>
      log('error', 'The connection was lost.', { cause: error.message }),
    );
    client.on('notice', (notice) => log('info', notice.message ?? 'notice'));
    await client.connect();
    try {
      return await migrateOn(client, options);
    } finally {
      await client.end();
    }
  } catch (error) {
    const isTold = error instanceof MigrationError || error instanceof ConnectionUrlError;
    throw isTold ? error : storeError(error);
  }
}

async function migrateOn(
  client: Client,
  { log, migrationsDir }: MigrateOptions,
): Promise<Migrated> {
  await requireVersion(client);
  // Taken here rather than by the runner, so that it covers the roles and the schema as well.
  await client.query('SELECT pg_advisory_lock($1)', [LOCK_ID]);
  for (const role of ROLES) await ensureRole(client, role, log);
  await ensureSchema(client);
  await becomeOwner(client);
  // Loaded here, since it makes a folder for temporary files as it loads: whoever only serves must write nothing.
  const { runner } = await import('node-pg-migrate');
  const applied = await runner({
    dbClient: client,
    dir: migrationsDir ?? MIGRATIONS_DIR,
    direction: 'up',
    schema: 'latchkey',
    migrationsTable: 'migrations',
    singleTransaction: true,
    noLock: true,
    logger: {
      info: (message) => log('debug', message),
      warn: (message) => log('warn', message),
      error: (message) => log('error', message),
    },
  });
  const granted = await client.query<{ missing: string[] }>(
    'SELECT latchkey.apply_grants() AS missing',
  );
  await client.query('SELECT pg_advisory_unlock($1)', [LOCK_ID]);
  return { applied: applied.map(({ name }) => name), missingRoles: granted.rows[0]?.missing ?? [] };
}

/** 14: the oldest release that is still maintained, and the oldest that the migrations are written for. */
const SERVER_VERSION_MIN = 140_000;

async function requireVersion(client: Client): Promise<void> {
  const result = await client.query<{ number: number; text: string }>(
    `SELECT current_setting('server_version_num')::int AS number, current_setting('server_version') AS text`,
  );
  const { number, text } = result.rows[0] ?? { number: 0, text: 'unknown' };
  if (number < SERVER_VERSION_MIN) {
    throw new MigrationError(`PostgreSQL 14 or newer is needed; this server is ${text}.`);
  }
}

/** Roles belong to the whole cluster: another database may have brought them along, or be doing so right now. */
async function ensureRole(
  client: Client,
  role: (typeof ROLES)[number],
  log: PostgresLog,
): Promise<void> {
  const known = await client.query('SELECT 1 FROM pg_roles WHERE rolname = $1', [role]);
  if (known.rowCount !== 0) return;
  try {
    await client.query(`CREATE ROLE ${role} NOLOGIN`);
    // Whoever makes it may take it on; for all but superusers that has to be said.
    if (role === MIGRATE_ROLE) await client.query(`GRANT ${role} TO CURRENT_USER`);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === '42710' || code === '23505') return;
    if (code !== '42501') throw error;
    log(
      'warn',
      `The role ${role} does not exist and this user may not create roles. ` +
        `Have an administrator run "CREATE ROLE ${role} NOLOGIN", then run latchkey migrate again.`,
    );
  }
}

/**
 * The schema belongs to latchkey_migrate where that can be, so that any member of it can run the next migration;
 * otherwise it belongs to the user that runs this one, who has to run the next one too. Asked for first: CREATE SCHEMA
 * IF NOT EXISTS wants the right to create even where there is nothing to do.
 */
async function ensureSchema(client: Client): Promise<void> {
  const known = await client.query("SELECT to_regnamespace('latchkey') IS NOT NULL AS known");
  if (known.rows[0]?.known === true) return;
  const owner = (await mayBecome(client, MIGRATE_ROLE)) ? ` AUTHORIZATION ${MIGRATE_ROLE}` : '';
  await client.query(`CREATE SCHEMA latchkey${owner}`);
}

async function becomeOwner(client: Client): Promise<void> {
  const result = await client.query<{ owner: string; user_name: string }>(
    `SELECT r.rolname AS owner, current_user::text AS user_name
       FROM pg_namespace n JOIN pg_roles r ON r.oid = n.nspowner WHERE n.nspname = 'latchkey'`,
  );
  const { owner, user_name: user } = result.rows[0] ?? { owner: '', user_name: '' };
  if (owner === user) return;
  if (!(await mayBecome(client, owner))) {
    throw new MigrationError(
      `The user ${user} may not change the schema latchkey, which belongs to ${owner}. ` +
        `Migrate as ${owner}, or as a member of it (GRANT ${owner} TO ${user}).`,
    );
  }
  await client.query(`SET ROLE ${client.escapeIdentifier(owner)}`);
}

/** Since Postgres 16 one can be a member without the right to take the role on. */
async function mayBecome(client: Client, role: string): Promise<boolean> {
  const result = await client.query<{ may: boolean }>(
    `SELECT pg_has_role(oid, CASE WHEN current_setting('server_version_num')::int >= 160000
        THEN 'SET' ELSE 'MEMBER' END) AS may FROM pg_roles WHERE rolname = $1`,
    [role],
  );
  return result.rows[0]?.may ?? false;
}
