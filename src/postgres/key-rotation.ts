import type { KeyAdminStore, OldSecretEnd, WriteContext } from '../accounts/ports.ts';
import { unstorable, violated, type Writer, writeAccounts } from './account-writes.ts';
import { insertSecrets } from './key-inserts.ts';
import { readKey } from './key-records.ts';
import type { Database } from './pool.ts';
import { epochMs } from './sql.ts';

type RotateRequest = Parameters<KeyAdminStore['rotate']>[0];
type RotateResult = Awaited<ReturnType<KeyAdminStore['rotate']>>;

/** Locked, so that of two rotations at once the second sees the first one's secret. */
const LOCK_KEY = {
  name: 'key_lock',
  text: `SELECT organization_id, revoked_at IS NOT NULL AS revoked FROM latchkey.api_keys WHERE id = $1
    FOR NO KEY UPDATE`,
};

const LIVE_SECRETS = {
  name: 'secrets_live',
  text: `SELECT ${epochMs('expires_at')} AS expires_at_ms FROM latchkey.api_key_secrets
    WHERE key_id = $1 AND (expires_at IS NULL OR expires_at > now())`,
};

/** An earlier end stays: rotating never lengthens a secret's life. NULL: now. */
const END_SECRETS = {
  name: 'secrets_end',
  text: `UPDATE latchkey.api_key_secrets
    SET expires_at = least(expires_at, coalesce(to_timestamp($2::float8 / 1000), now()))
    WHERE key_id = $1 AND (expires_at IS NULL OR expires_at > now())`,
};

export async function rotateKey(
  database: Database,
  { id, secret, oldSecret }: RotateRequest,
  context: WriteContext,
): Promise<RotateResult> {
  const bad = unstorable({ id, start: secret.start, actor: context.actor });
  if (bad !== undefined) return bad;
  try {
    return await writeAccounts(database, context, async (writer): Promise<RotateResult> => {
      const key = await lockKey(writer, id);
      if (key === undefined) return { kind: 'absent' };
      if (key.revoked) return { kind: 'revoked' };
      const rotating = oldSecret.kind === 'at' ? await oldEnd(writer, id) : undefined;
      if (rotating !== undefined) return { kind: 'two_live_secrets', oldExpiresAtMs: rotating };

      await writer.session.query(END_SECRETS, [id, endMs(oldSecret)]);
      await insertSecrets(writer, [{ keyId: id, secret }]);
      await writer.audit({
        verb: 'key.rotate',
        objectKind: 'key',
        objectId: id,
        organizationId: key.organization_id,
        details: { start: secret.start, old_secret_ends_at_ms: endMs(oldSecret) },
      });
      const record = await readKey(writer.session, id);
      if (record === undefined) throw new TypeError('The key that this transaction holds is gone.');
      return { kind: 'rotated', record, at: await writer.position() };
    });
  } catch (error) {
    const violation = violated(error, 'api_key_secrets');
    if (violation === undefined) throw error;
    if (!('constraint' in violation)) return violation;
    if (violation.constraint === 'api_key_secrets_digest_pepper_version_key') {
      return { kind: 'digest_taken' };
    }
    throw error;
  }
}

async function lockKey(
  { session }: Writer,
  id: string,
): Promise<{ organization_id: string; revoked: boolean } | undefined> {
  const rows = await session.query<{ organization_id: string; revoked: boolean }>(LOCK_KEY, [id]);
  return rows[0];
}

/** When the older of two live secrets ends; `undefined` while there are fewer than two. */
async function oldEnd({ session }: Writer, id: string): Promise<number | undefined> {
  const live = await session.query<{ expires_at_ms: number | null }>(LIVE_SECRETS, [id]);
  if (live.length < 2) return undefined;
  return Math.min(...live.map(({ expires_at_ms }) => expires_at_ms ?? Number.POSITIVE_INFINITY));
}

function endMs(oldSecret: OldSecretEnd): number | null {
  return oldSecret.kind === 'at' ? oldSecret.ms : null;
}
