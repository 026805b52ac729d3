import type { ReplicaDirectory, ReplicaRecord } from '../accounts/ports.ts';
import type { ReplicaRegistry } from '../cache/ports.ts';
import type { Database } from './pool.ts';

export interface ReplicaIdentity {
  /** New for every start of the process, at most 64 characters: a restarted replica knows nothing of its former life. */
  readonly id: string;
  /** For people (a pod's name). At most 200 characters. */
  readonly name: string;
}

/** More replicas than this on one database are beyond what three connections each would leave of it. */
export const REPLICAS_LISTED_MAX = 1_000;

/** `now()` throughout: ages are differences on one clock, the database's. */
const CONFIRM = {
  name: 'replica_confirm',
  text: `
    INSERT INTO latchkey.replicas (id, name, epoch, version) VALUES ($1, $2, $3, $4)
    ON CONFLICT (id) DO UPDATE
      SET epoch = excluded.epoch, version = excluded.version, updated_at = now()`,
};

const DEREGISTER = {
  name: 'replica_deregister',
  text: 'DELETE FROM latchkey.replicas WHERE id = $1',
};

/** A day is longer than any stale window: whoever waits for replicas has long stopped counting these. */
const SWEEP = {
  name: 'replica_sweep',
  text: "DELETE FROM latchkey.replicas WHERE updated_at < now() - interval '1 day'",
};

const LIST = {
  name: 'replica_list',
  text: `
    SELECT id, name, epoch, version::float8,
      greatest(0, extract(epoch FROM now() - updated_at) * 1000)::float8 AS age_ms
    FROM latchkey.replicas ORDER BY updated_at DESC, id LIMIT ${REPLICAS_LISTED_MAX}`,
};

/** This replica's heartbeat row. */
export function createReplicaRegistry(
  database: Database,
  replica: ReplicaIdentity,
): ReplicaRegistry {
  let swept = false;
  return {
    async confirm(at, signal) {
      await database.query(CONFIRM, [replica.id, replica.name, at.epoch, at.version], signal);
      if (swept) return;
      await database.query(SWEEP, [], signal);
      swept = true;
    },
    async deregister(signal) {
      await database.query(DEREGISTER, [replica.id], signal);
    },
  };
}

interface ReplicaRow {
  readonly id: string;
  readonly name: string;
  readonly epoch: string;
  readonly version: number;
  readonly age_ms: number;
}

export function createReplicaDirectory(database: Database): ReplicaDirectory {
  return {
    async list(signal) {
      const rows = await database.query<ReplicaRow>(LIST, [], signal);
      return rows.map(
        ({ id, name, epoch, version, age_ms }): ReplicaRecord => ({
          id,
          name,
          at: { epoch, version },
          ageMs: age_ms,
        }),
      );
    },
  };
}
