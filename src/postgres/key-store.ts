import type { KeyStore } from '../authenticators/ports.ts';
import { type Cidr, parseCidr } from '../model/address.ts';
import type { LoadedCredential } from '../model/change.ts';
import { type KeyId, keySubject, type OrganizationId, type UserId } from '../model/ids.ts';
import type { Role, Subject } from '../model/subject.ts';
import { StoreFaultError } from './errors.ts';
import type { PostgresLog } from './log.ts';
import type { Database, Statement } from './pool.ts';
import { POSITION_COLUMNS, type PositionRow, positionOf } from './position.ts';
import { epochMs } from './sql.ts';

/**
 * One statement, so one snapshot: the version read is exactly that of the row read beside it. The left join keeps the
 * row of the counter when no key is found, since an absence has a position as well. Of several digests the first wins.
 * A secret that has ended by the database's clock (a rotation ends the old one "now") has ended for everybody: a clock that
 * runs behind must not keep it alive.
 *
 * The digests are a list of values, in a statement for each number of them: of an array Postgres cannot tell how long it is,
 * so it would plan every lookup anew, which takes five times as long as the lookup.
 */
function findKeyBy(digestCount: number): Statement {
  const wanted = Array.from({ length: digestCount }, (_, index) => {
    const place = index + 1;
    return `($${2 * place - 1}::bytea, $${2 * place}::smallint, ${place})`;
  });
  // No digest finds nothing, and still has a position.
  if (wanted.length === 0) wanted.push('(NULL::bytea, NULL::smallint, 1)');
  return {
    name: `find_key_${digestCount}`,
    text: `
    SELECT ${POSITION_COLUMNS}, k.*
    FROM latchkey.change_version v LEFT JOIN (
      SELECT
        k.id, k.name, k.environment, k.scopes, k.plan, k.allowed_cidrs,
        ${epochMs('k.expires_at')} AS expires_at_ms,
        ${epochMs('k.disabled_at')} AS disabled_at_ms,
        ${epochMs('k.revoked_at')} AS revoked_at_ms,
        CASE WHEN s.expires_at <= now() THEN 0 ELSE ${epochMs('s.expires_at')} END AS secret_expires_at_ms,
        o.id AS organization_id, o.name AS organization_name, o.plan AS organization_plan,
        ${epochMs('o.disabled_at')} AS organization_disabled_at_ms,
        u.id AS owner_id, u.role AS owner_role,
        ${epochMs('u.disabled_at')} AS owner_disabled_at_ms
      FROM (VALUES ${wanted.join(', ')}) AS wanted (digest, pepper_version, place)
      JOIN latchkey.api_key_secrets s
        ON s.digest = wanted.digest AND s.pepper_version = wanted.pepper_version
      JOIN latchkey.api_keys k ON k.id = s.key_id
      JOIN latchkey.organizations o ON o.id = k.organization_id
      LEFT JOIN latchkey.users u ON u.id = k.owner_id
      ORDER BY wanted.place LIMIT 1
    ) k ON true`,
  };
}

interface KeyRow {
  readonly id: string;
  readonly name: string;
  readonly environment: string;
  readonly scopes: string[];
  readonly plan: string | null;
  readonly allowed_cidrs: string[];
  readonly expires_at_ms: number | null;
  readonly disabled_at_ms: number | null;
  readonly revoked_at_ms: number | null;
  readonly secret_expires_at_ms: number | null;
  readonly organization_id: string;
  readonly organization_name: string;
  readonly organization_plan: string | null;
  readonly organization_disabled_at_ms: number | null;
  readonly owner_id: string | null;
  readonly owner_role: string | null;
  readonly owner_disabled_at_ms: number | null;
}

type FoundRow = PositionRow & (KeyRow | { readonly id: null });

export function createKeyStore(database: Database, log: PostgresLog): KeyStore {
  // As many as there are peppers, and one: the number does not change while the process lives.
  const statements = new Map<number, Statement>();
  const statementFor = (digestCount: number): Statement => {
    const known = statements.get(digestCount);
    if (known !== undefined) return known;
    const statement = findKeyBy(digestCount);
    statements.set(digestCount, statement);
    return statement;
  };
  return {
    async findKey(digests, signal): Promise<LoadedCredential> {
      const rows = await database.query<FoundRow>(
        statementFor(digests.length),
        digests.flatMap(({ bytes, pepperVersion }) => [bytes, pepperVersion]),
        signal,
      );
      const row = rows[0];
      // No counter, no statement about anything: an absence would be an invention.
      if (row === undefined)
        throw new StoreFaultError('latchkey.change_version is empty.', 'P0002', undefined);
      const at = positionOf(row);
      if (row.id === null) return { kind: 'absent', at };
      return {
        kind: 'found',
        subject: subjectOf(row, log),
        secretExpiresAtMs: row.secret_expires_at_ms,
        at,
      };
    },
  };
}

function subjectOf(row: KeyRow, log: PostgresLog): Subject {
  const cidrs = row.allowed_cidrs.map(parseCidr);
  const readable = cidrs.filter((cidr): cidr is Cidr => cidr !== undefined);
  const role = roleOf(row.owner_role);
  const corrupt = readable.length !== cidrs.length || role === 'unknown';
  if (corrupt) {
    log(
      'error',
      'A key cannot be used: its row holds an allowed CIDR or an owner role that is not understood.',
      {
        key_id: row.id,
      },
    );
  }
  return {
    id: keySubject(row.id as KeyId),
    keyId: row.id as KeyId,
    name: row.name,
    environment: row.environment,
    scopes: row.scopes,
    plan: row.plan,
    organizationId: row.organization_id as OrganizationId,
    organizationName: row.organization_name,
    organizationPlan: row.organization_plan,
    organizationDisabledAtMs: row.organization_disabled_at_ms,
    ownerId: row.owner_id as UserId | null,
    ownerRole: role === 'unknown' ? null : role,
    ownerDisabledAtMs: row.owner_disabled_at_ms,
    allowedCidrs: readable,
    expiresAtMs: row.expires_at_ms,
    // A restriction that cannot be read must not become no restriction: the key counts as disabled since ever.
    disabledAtMs: corrupt ? 0 : row.disabled_at_ms,
    revokedAtMs: row.revoked_at_ms,
    principal: undefined,
  };
}

/** A newer schema may know roles that this binary does not: what they may do is unknown, so nothing. */
function roleOf(text: string | null): Role | null | 'unknown' {
  switch (text) {
    case null:
    case 'member':
    case 'org_admin':
    case 'super_admin':
      return text;
    default:
      return 'unknown';
  }
}
