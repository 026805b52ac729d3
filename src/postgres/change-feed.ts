import type { ChangeFeed } from '../cache/ports.ts';
import type { Change } from '../model/change.ts';
import type { SubjectId } from '../model/ids.ts';
import { StoreFaultError } from './errors.ts';
import type { Database } from './pool.ts';
import { POSITION_COLUMNS, type PositionRow, positionOf } from './position.ts';

const HEAD = {
  name: 'change_head',
  text: `
    SELECT ${POSITION_COLUMNS}, l.nonce::text
    FROM latchkey.change_version v LEFT JOIN latchkey.change_log l ON l.version = v.version`,
};

/** The counter, the row at the caller's own place and what follows it, all of one snapshot. */
const CHANGES_AFTER = {
  name: 'changes_after',
  text: `
    SELECT ${POSITION_COLUMNS}, known.nonce::text AS known_nonce,
      c.version::float8, c.subject, c.created, c.nonce::text
    FROM latchkey.change_version v
    LEFT JOIN latchkey.change_log known ON known.version = $1
    LEFT JOIN LATERAL (
      SELECT * FROM latchkey.change_log WHERE version > $1 ORDER BY version LIMIT $2
    ) c ON true
    ORDER BY c.version`,
};

type ChangeRow = PositionRow & { readonly known_nonce: string | null } & (
    | {
        readonly version: number;
        readonly subject: string;
        readonly created: boolean;
        readonly nonce: string;
      }
    | { readonly version: null }
  );

/**
 * The change log of the triggers in the migrations. Every row has its own version and no version is skipped, so a batch
 * may be cut anywhere, and a row that is missing shows as a gap.
 */
export function createChangeFeed(database: Database): ChangeFeed {
  return {
    async head(signal) {
      const rows = await database.query<PositionRow & { nonce: string | null }>(HEAD, [], signal);
      const row = rows[0] ?? noCounter();
      return { at: positionOf(row), nonce: row.nonce };
    },

    async changesAfter(after, limit, signal) {
      const rows = await database.query<ChangeRow>(CHANGES_AFTER, [after.version, limit], signal);
      const first = rows[0] ?? noCounter();
      const head = positionOf(first);
      const changes = rows.flatMap(changeOf);
      const isOurHistory = head.epoch === after.epoch && first.known_nonce === after.nonce;
      const expected = Math.min(limit, head.version - after.version);
      if (!isOurHistory || !followsWithoutGap(changes, after.version, expected)) {
        return { kind: 'history_lost' };
      }
      return { kind: 'changes', changes };
    },
  };
}

/** Also false when the counter stands before the caller's place: then `expected` is negative. */
function followsWithoutGap(changes: readonly Change[], after: number, expected: number): boolean {
  return (
    changes.length === expected &&
    changes.every(({ version }, index) => version === after + index + 1)
  );
}

function changeOf(row: ChangeRow): Change[] {
  if (row.version === null) return [];
  const { version, nonce, created } = row;
  // The triggers write `all`, `key:…` and `user:…`: the words of SubjectId.
  return [{ version, nonce, created, subject: row.subject as SubjectId | 'all' }];
}

function noCounter(): never {
  throw new StoreFaultError('latchkey.change_version is empty.', 'P0002', undefined);
}
