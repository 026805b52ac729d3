import { type StorePosition, StoreUnavailableError } from '../model/change.ts';

/** What a statement selects to say at which position it read. */
export interface PositionRow {
  readonly epoch: string | null;
  readonly at_version: number;
}

/** The columns of PositionRow, for a statement that reads `latchkey.change_version` as `v`. */
export const POSITION_COLUMNS = 'latchkey.epoch() AS epoch, v.version::float8 AS at_version';

export function positionOf(row: PositionRow): StorePosition {
  // A primary has an epoch; this server turned out to be a standby, which pool.ts would have refused.
  if (row.epoch === null) throw new StoreUnavailableError('Postgres is in recovery.');
  return { epoch: row.epoch, version: row.at_version };
}
