import { StoreUnavailableError } from '../model/change.ts';
import type { Database } from '../postgres/pool.ts';
import { checkSchema, type SchemaCheck } from '../postgres/schema.ts';

/** Longer than a connection takes; a start waits for it once. */
const SCHEMA_TIMEOUT_MS = 5000;

/** What stands between this binary and a schema; `undefined`: nothing. */
export function schemaProblem(schema: SchemaCheck): string | undefined {
  switch (schema.kind) {
    case 'ok':
      return undefined;
    case 'not_migrated':
      return 'The database has no schema yet. Run `latchkey migrate`.';
    case 'behind':
      return `The schema of the database (${schema.schemaVersion}) is older than this latchkey needs. Run \`latchkey migrate\`.`;
    case 'too_old_binary':
      return `This latchkey is too old for the schema of the database (${schema.schemaVersion}). Install a newer one.`;
  }
}

/** Rejects with StoreUnavailableError while the database does not answer. */
export async function askSchema(database: Database): Promise<string | undefined> {
  return schemaProblem(await checkSchema(database, AbortSignal.timeout(SCHEMA_TIMEOUT_MS)));
}

export type SchemaAtStart =
  | { readonly kind: 'serves' }
  /** No answer: it may come later. */
  | { readonly kind: 'silent' }
  | { readonly kind: 'problem'; readonly message: string };

export async function schemaAtStart(database: Database): Promise<SchemaAtStart> {
  try {
    const message = await askSchema(database);
    return message === undefined ? { kind: 'serves' } : { kind: 'problem', message };
  } catch (error) {
    if (error instanceof StoreUnavailableError) return { kind: 'silent' };
    throw error;
  }
}
