import type { NewKey, NewKeyProblem, NewSecret } from '../accounts/ports.ts';
import { parseCidr } from '../model/address.ts';
import { unstorable, violated, type Writer } from './account-writes.ts';

/** One statement for any number of keys, so that one version block stands for all of them. */
const INSERT_KEYS = {
  name: 'keys_insert',
  text: `
    INSERT INTO latchkey.api_keys
      (id, name, organization_id, owner_id, environment, scopes, plan, allowed_cidrs, metadata, expires_at)
    SELECT id, name, organization_id, owner_id, environment, scopes, plan, allowed_cidrs, metadata,
      to_timestamp(expires_at_ms / 1000)
    FROM jsonb_to_recordset($1) AS t (id text, name text, organization_id text, owner_id text, environment text,
      scopes text[], plan text, allowed_cidrs text[], metadata jsonb, expires_at_ms float8)`,
};

const INSERT_SECRETS = {
  name: 'secrets_insert',
  text: `
    INSERT INTO latchkey.api_key_secrets (key_id, digest, pepper_version, start)
    SELECT * FROM unnest($1::text[], $2::bytea[], $3::smallint[], $4::text[])`,
};

const AUDIT_KEYS = {
  name: 'keys_audit',
  text: `
    INSERT INTO latchkey.audit_log (actor, verb, object_kind, object_id, organization_id, details)
    SELECT $1, $2, 'key', t.id, t.organization_id, t.details
    FROM jsonb_to_recordset($3) AS t (id text, organization_id text, details jsonb)`,
};

/** Keys with their secrets and audit rows. The caller has looked for problems; a violation still rejects. */
export async function insertKeys(
  writer: Writer,
  keys: readonly NewKey[],
  audit: { readonly actor: string; readonly verb: string },
): Promise<void> {
  const { session } = writer;
  await session.query(INSERT_KEYS, [JSON.stringify(keys.map(columnsOf))]);
  await insertSecrets(
    writer,
    keys.map(({ id, secret }) => ({ keyId: id, secret })),
  );
  const entries = keys.map((key) => ({
    id: key.id,
    organization_id: key.organizationId,
    details: detailsOf(key),
  }));
  await session.query(AUDIT_KEYS, [audit.actor, audit.verb, JSON.stringify(entries)]);
}

export async function insertSecrets(
  { session }: Writer,
  secrets: readonly { readonly keyId: string; readonly secret: NewSecret }[],
): Promise<void> {
  await session.query(INSERT_SECRETS, [
    secrets.map(({ keyId }) => keyId),
    secrets.map(({ secret }) => secret.digest.bytes),
    secrets.map(({ secret }) => secret.digest.pepperVersion),
    secrets.map(({ secret }) => secret.start),
  ]);
}

function columnsOf(key: NewKey): Record<string, unknown> {
  return {
    id: key.id,
    name: key.name,
    organization_id: key.organizationId,
    owner_id: key.ownerId,
    environment: key.environment,
    scopes: key.scopes,
    plan: key.plan,
    allowed_cidrs: key.allowedCidrs,
    metadata: key.metadata,
    expires_at_ms: key.expiresAtMs,
  };
}

/** For the audit log: what was granted, and never the digest. */
function detailsOf(key: NewKey): Record<string, unknown> {
  return {
    name: key.name,
    owner_id: key.ownerId,
    environment: key.environment,
    scopes: key.scopes,
    plan: key.plan,
    allowed_cidrs: key.allowedCidrs,
    expires_at_ms: key.expiresAtMs,
    start: key.secret.start,
  };
}

/** What is wrong with a new key, as far as the key itself tells. */
export function problemOfNewKey(key: NewKey): NewKeyProblem | undefined {
  const { secret, expiresAtMs: _, ...rest } = key;
  const bad = unstorable({ ...rest, start: secret.start });
  if (bad !== undefined) return bad;
  const cidr = key.allowedCidrs.find((text) => parseCidr(text) === undefined);
  return cidr === undefined ? undefined : { kind: 'invalid_cidr', cidr };
}

/** What the server found wrong with a new key. */
export function problemOfViolation(error: unknown): NewKeyProblem | undefined {
  const violation = violated(error, 'api_keys');
  if (violation === undefined || !('constraint' in violation)) return violation;
  switch (violation.constraint) {
    case 'api_keys_pkey':
      return { kind: 'id_taken' };
    case 'api_key_secrets_digest_pepper_version_key':
      return { kind: 'digest_taken' };
    case 'api_keys_organization_id_fkey':
      return { kind: 'organization_absent' };
    case 'api_keys_organization_id_owner_id_fkey':
      return { kind: 'owner_absent' };
    default:
      return undefined;
  }
}
