import type { JsonObject, KeyRecord, SecretRecord } from '../accounts/ports.ts';
import type { KeyId, OrganizationId, UserId } from '../model/ids.ts';
import type { Session } from './pool.ts';
import { epochMs } from './sql.ts';

/** A key as people see it, with how its secrets begin. */
const SELECT = `
  SELECT k.id, k.name, k.organization_id, k.owner_id, k.environment, k.scopes, k.plan, k.allowed_cidrs, k.metadata,
    ${epochMs('k.created_at')} AS created_at_ms, ${epochMs('k.expires_at')} AS expires_at_ms,
    ${epochMs('k.disabled_at')} AS disabled_at_ms, ${epochMs('k.revoked_at')} AS revoked_at_ms,
    ${epochMs('k.last_used_at')} AS last_used_at_ms, k.last_used_address,
    (SELECT coalesce(json_agg(json_build_object(
        'start', s.start, 'pepperVersion', s.pepper_version,
        'createdAtMs', ${epochMs('s.created_at')}, 'expiresAtMs', ${epochMs('s.expires_at')}
      ) ORDER BY s.id), '[]')
      FROM latchkey.api_key_secrets s WHERE s.key_id = k.id) AS secrets
  FROM latchkey.api_keys k`;

export const KEY_FIND = { name: 'key_find', text: `${SELECT} WHERE k.id = $1` };

/** $1 organization, $2 owner, then the values of a page. */
export const KEY_LIST = {
  name: 'key_list',
  text: `${SELECT}
    WHERE ($1::text IS NULL OR k.organization_id = $1) AND ($2::text IS NULL OR k.owner_id = $2)
      AND ($3::text IS NULL OR k.id > $3)
    ORDER BY k.id LIMIT $4`,
};

export interface KeyRecordRow {
  readonly id: string;
  readonly name: string;
  readonly organization_id: string;
  readonly owner_id: string | null;
  readonly environment: string;
  readonly scopes: string[];
  readonly plan: string | null;
  readonly allowed_cidrs: string[];
  readonly metadata: JsonObject;
  readonly created_at_ms: number;
  readonly expires_at_ms: number | null;
  readonly disabled_at_ms: number | null;
  readonly revoked_at_ms: number | null;
  readonly last_used_at_ms: number | null;
  readonly last_used_address: string | null;
  readonly secrets: SecretRecord[];
}

export function keyRecordOf(row: KeyRecordRow): KeyRecord {
  return {
    id: row.id as KeyId,
    name: row.name,
    organizationId: row.organization_id as OrganizationId,
    ownerId: row.owner_id as UserId | null,
    environment: row.environment,
    scopes: row.scopes,
    plan: row.plan,
    allowedCidrs: row.allowed_cidrs,
    metadata: row.metadata,
    createdAtMs: row.created_at_ms,
    expiresAtMs: row.expires_at_ms,
    disabledAtMs: row.disabled_at_ms,
    revokedAtMs: row.revoked_at_ms,
    lastUsedAtMs: row.last_used_at_ms,
    lastUsedAddress: row.last_used_address,
    secrets: row.secrets,
  };
}

export async function readKey(session: Session, id: string): Promise<KeyRecord | undefined> {
  const rows = await session.query<KeyRecordRow>(KEY_FIND, [id]);
  return rows.map(keyRecordOf)[0];
}
