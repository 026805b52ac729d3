import type { KeyAdminStore, KeyRecord, WriteContext, Written } from '../accounts/ports.ts';
import type { KeyId } from '../model/ids.ts';
import { unstorable, writeAccounts } from './account-writes.ts';
import { importKeys } from './key-import.ts';
import { insertKeys, problemOfNewKey, problemOfViolation } from './key-inserts.ts';
import { KEY_FIND, KEY_LIST, type KeyRecordRow, keyRecordOf, readKey } from './key-records.ts';
import { rotateKey } from './key-rotation.ts';
import { pageOf, pageValues } from './pages.ts';
import type { Database, Statement } from './pool.ts';

/** The first revocation is the one that counts, and its time stays. */
const REVOKE = {
  name: 'key_revoke',
  text: 'UPDATE latchkey.api_keys SET revoked_at = now() WHERE id = $1 AND revoked_at IS NULL RETURNING id',
};

const DISABLE = {
  name: 'key_disable',
  text: 'UPDATE latchkey.api_keys SET disabled_at = now() WHERE id = $1 AND disabled_at IS NULL RETURNING id',
};

const ENABLE = {
  name: 'key_enable',
  text: 'UPDATE latchkey.api_keys SET disabled_at = NULL WHERE id = $1 AND disabled_at IS NOT NULL RETURNING id',
};

export function createKeyAdminStore(database: Database): KeyAdminStore {
  return {
    async create(key, context) {
      const problem = unstorable({ actor: context.actor }) ?? problemOfNewKey(key);
      if (problem !== undefined) return problem;
      try {
        return await writeAccounts(database, context, async (writer) => {
          await insertKeys(writer, [key], { actor: context.actor, verb: 'key.create' });
          const record = await readKey(writer.session, key.id);
          if (record === undefined) throw new TypeError('The inserted key cannot be read.');
          return { kind: 'created', record, at: await writer.position() } as const;
        });
      } catch (error) {
        const violation = problemOfViolation(error);
        if (violation === undefined) throw error;
        return violation;
      }
    },

    importKeys: (keys, context) => importKeys(database, keys, context),

    async list(filter, page, signal) {
      if (unstorable({ ...filter, ...page }) !== undefined) return { items: [], nextAfterId: null };
      const values = [filter.organizationId ?? null, filter.ownerId ?? null, ...pageValues(page)];
      const rows = await database.query<KeyRecordRow>(KEY_LIST, values, signal);
      return pageOf(rows.map(keyRecordOf), page);
    },

    async find(id, signal) {
      if (unstorable({ id }) !== undefined) return undefined;
      const rows = await database.query<KeyRecordRow>(KEY_FIND, [id], signal);
      return rows.map(keyRecordOf)[0];
    },

    rotate: (request, context) => rotateKey(database, request, context),

    async revoke(id, context) {
      const outcome = await change(
        database,
        { id, statement: REVOKE, verb: 'key.revoke' },
        context,
      );
      return outcome === 'absent' ? { kind: 'absent' } : { kind: 'revoked', ...outcome };
    },

    async setDisabled(id, disabled, context) {
      const how = disabled
        ? { id, statement: DISABLE, verb: 'key.disable' }
        : { id, statement: ENABLE, verb: 'key.enable' };
      const outcome = await change(database, how, context);
      return outcome === 'absent' ? { kind: 'absent' } : { kind: 'switched', ...outcome };
    },
  };
}

async function change(
  database: Database,
  { id, statement, verb }: { id: KeyId; statement: Statement; verb: string },
  context: WriteContext,
): Promise<({ changed: boolean; record: KeyRecord } & Written) | 'absent'> {
  if (unstorable({ id }) !== undefined) return 'absent';
  return writeAccounts(database, context, async (writer) => {
    const touched = await writer.session.query(statement, [id]);
    const record = await readKey(writer.session, id);
    if (record === undefined) return 'absent';
    const changed = touched.length > 0;
    if (changed) {
      await writer.audit({
        verb,
        objectKind: 'key',
        objectId: id,
        organizationId: record.organizationId,
        details: {},
      });
    }
    return { changed, record, at: await writer.position() };
  });
}
