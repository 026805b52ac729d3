import { StoreUnavailableError } from '../model/change.ts';
import type { Database } from '../postgres/pool.ts';
import { checkSchema, type SchemaCheck } from '../postgres/schema.ts';
import { storeProblem } from './store-problem.ts';

/** Longer than a connection takes; a start waits for it once. */
const SCHEMA_TIMEOUT_MS = 5000;

/** How the schema of a database stands to this binary. The messages are for the operator. */
export type SchemaStanding =
  | { readonly kind: 'serves' }
  /** No answer: it may come later. */
  | { readonly kind: 'silent'; readonly message: string }
  | { readonly kind: 'problem'; readonly message: string };

/** Rejects for a bug only. */
export async function schemaStanding(database: Database): Promise<SchemaStanding> {
  try {
    const message = await askSchema(database);
    return message === undefined ? { kind: 'serves' } : { kind: 'problem', message };
  } catch (error) {
    const explained = storeProblem(error);
    if (explained === undefined) throw error;
    const kind = error instanceof StoreUnavailableError ? 'silent' : 'problem';
    return { kind, message: explained.message };
  }
}

/** What stands between this binary and the schema; `undefined`: nothing. Rejects when the database does not say. */
export async function askSchema(database: Database): Promise<string | undefined> {
  return schemaProblem(await checkSchema(database, AbortSignal.timeout(SCHEMA_TIMEOUT_MS)));
}

function schemaProblem(schema: SchemaCheck): string | undefined {
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
