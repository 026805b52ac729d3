import type { JsonObject, UnstorableText, WriteContext } from '../accounts/ports.ts';
import type { StorePosition } from '../model/change.ts';
import { StoreFaultError } from './errors.ts';
import type { Database, Session } from './pool.ts';
import { POSITION_COLUMNS, type PositionRow, positionOf } from './position.ts';

/** What a write has at hand: the transaction's session, its audit row, and where it stands in the change log. */
export interface Writer {
  readonly session: Session;
  audit(entry: AuditEntry): Promise<void>;
  /** After the last change: the newest version, which is this transaction's own if it changed anything. */
  position(): Promise<StorePosition>;
}

export interface AuditEntry {
  /** `key.create`, `organization.disable`. */
  readonly verb: string;
  readonly objectKind: 'organization' | 'user' | 'key';
  readonly objectId: string;
  readonly organizationId: string | null;
  /** Never a digest, never a secret. */
  readonly details: JsonObject;
}

const AUDIT = {
  name: 'audit',
  text: `
    INSERT INTO latchkey.audit_log (actor, verb, object_kind, object_id, organization_id, details)
    VALUES ($1, $2, $3, $4, $5, $6)`,
};

const POSITION = {
  name: 'position',
  text: `SELECT ${POSITION_COLUMNS} FROM latchkey.change_version v`,
};

/** The change and its audit row, in one transaction. */
export function writeAccounts<T>(
  database: Database,
  context: WriteContext,
  work: (writer: Writer) => Promise<T>,
): Promise<T> {
  return database.transaction((session) => {
    return work({
      session,
      async audit({ verb, objectKind, objectId, organizationId, details }) {
        const values = [context.actor, verb, objectKind, objectId, organizationId, details];
        await session.query(AUDIT, values);
      },
      async position() {
        const rows = await session.query<PositionRow>(POSITION, []);
        const row = rows[0];
        if (row === undefined) {
          throw new StoreFaultError('latchkey.change_version is empty.', 'P0002', undefined);
        }
        return positionOf(row);
      },
    });
  }, context.signal);
}

/**
 * What a refused write violated. `undefined`: another reason than a constraint, or no refusal at all. A rule of a column
 * is a value for the caller as well; its name, which Postgres makes from table and column, says which.
 */
export function violated(
  error: unknown,
  table: string,
): { readonly constraint: string } | UnstorableText | undefined {
  if (!(error instanceof StoreFaultError) || error.constraint === undefined) return undefined;
  const { constraint, sqlState } = error;
  if (sqlState === '23505' || sqlState === '23503') return { constraint };
  if (sqlState !== '23514') return undefined;
  const field = constraint.replace(new RegExp(`^${table}_`), '').replace(/_check\d*$/, '');
  return {
    kind: 'unstorable_text',
    field,
    problem: 'it is empty, too long, or of another form than allowed',
  };
}

/** The first text that Postgres would refuse or change: it holds no NUL, and half a surrogate pair is no character. */
export function unstorable(fields: Readonly<Record<string, unknown>>): UnstorableText | undefined {
  for (const [field, value] of Object.entries(fields)) {
    const problem = problemOf(value);
    if (problem !== undefined) return { kind: 'unstorable_text', field, problem };
  }
  return undefined;
}

function problemOf(value: unknown): string | undefined {
  if (typeof value === 'string') return textProblem(value);
  if (Array.isArray(value)) return value.map(problemOf).find((problem) => problem !== undefined);
  if (typeof value === 'object' && value !== null) {
    return problemOf(Object.entries(value).flat());
  }
  return undefined;
}

function textProblem(text: string): string | undefined {
  if (text.includes('\0')) return 'it contains the character NUL';
  if (!text.isWellFormed()) return 'it is not well-formed Unicode';
  return undefined;
}
