import type { UsageStore } from '../cache/ports.ts';
import type { Database } from './pool.ts';

/** One statement's worth: a few milliseconds of the server's time. */
export const USES_PER_CALL_MAX = 1_000;

/**
 * A row that somebody else is just changing is left out rather than waited for: a sidecar must not queue behind an
 * administrator's open transaction, and the key's next use says the same. A sidecar's clock may run ahead, but nothing
 * was used in the future. These columns are not part of the change log.
 */
const RECORD = {
  name: 'record_usage',
  text: `
    WITH used AS (
      SELECT u.id, least(to_timestamp(u.at_ms / 1000), now()) AS at, u.address
      FROM unnest($1::text[], $2::float8[], $3::text[]) AS u (id, at_ms, address)
    ), free AS (
      SELECT k.id FROM latchkey.api_keys k JOIN used ON used.id = k.id
      WHERE k.last_used_at IS NULL OR k.last_used_at < used.at
      FOR NO KEY UPDATE OF k SKIP LOCKED
    )
    UPDATE latchkey.api_keys k SET last_used_at = used.at, last_used_address = used.address
    FROM used JOIN free ON free.id = used.id WHERE k.id = used.id`,
};

/** At most USES_PER_CALL_MAX entries a call. */
export function createUsageStore(database: Database): UsageStore {
  return {
    async recordUsage(entries, signal) {
      if (entries.length > USES_PER_CALL_MAX) {
        throw new RangeError(`At most ${USES_PER_CALL_MAX} uses a call, not ${entries.length}.`);
      }
      if (entries.length === 0) return;
      const values = [
        entries.map(({ keyId }) => keyId),
        entries.map(({ atMs }) => atMs),
        entries.map(({ address }) => address),
      ];
      await database.query(RECORD, values, signal);
    },
  };
}
