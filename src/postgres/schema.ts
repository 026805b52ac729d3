import { StoreFaultError } from './errors.ts';
import type { Database } from './pool.ts';

/** The schema that this binary was written for: the number of its newest migration. */
export const SCHEMA_VERSION = 1;

export type SchemaCheck =
  /** The schema is ours, or a newer one that still serves us. */
  | { readonly kind: 'ok'; readonly schemaVersion: number }
  /** `latchkey migrate` has never run on this database. */
  | { readonly kind: 'not_migrated' }
  /** Older than this binary needs: run this binary's `latchkey migrate` before its `serve`. */
  | { readonly kind: 'behind'; readonly schemaVersion: number }
  /** The schema has moved on and says that it no longer serves this binary: a newer one is needed. */
  | {
      readonly kind: 'too_old_binary';
      readonly schemaVersion: number;
      readonly minBinarySchema: number;
    };

interface VersionRow {
  readonly version: number;
  readonly min_binary_schema: number;
}

/** Undefined table, undefined schema (SQLSTATE). */
const NOT_THERE: ReadonlySet<string> = new Set(['42P01', '3F000']);

/**
 * Schema N serves the binaries N and N−1: a migration first adds, and only the one after it takes away. So the order of
 * an upgrade is migrate, then replace the binaries one by one; and an older binary stops only when the schema says so.
 */
export async function checkSchema(
  database: Database,
  signal: AbortSignal,
  binarySchema: number = SCHEMA_VERSION,
): Promise<SchemaCheck> {
  const row = await readVersion(database, signal);
  if (row === undefined) return { kind: 'not_migrated' };
  const { version: schemaVersion, min_binary_schema: minBinarySchema } = row;
  if (minBinarySchema > binarySchema)
    return { kind: 'too_old_binary', schemaVersion, minBinarySchema };
  if (schemaVersion < binarySchema) return { kind: 'behind', schemaVersion };
  return { kind: 'ok', schemaVersion };
}

async function readVersion(
  database: Database,
  signal: AbortSignal,
): Promise<VersionRow | undefined> {
  const statement = {
    name: 'schema_version',
    text: 'SELECT version, min_binary_schema FROM latchkey.schema_version',
  };
  try {
    const rows = await database.query<VersionRow>(statement, [], signal);
    return rows[0];
  } catch (error) {
    if (error instanceof StoreFaultError && NOT_THERE.has(error.sqlState)) return undefined;
    throw error;
  }
}
