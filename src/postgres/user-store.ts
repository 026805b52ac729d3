import type { UserRecord, UserStore } from '../accounts/ports.ts';
import type { OrganizationId, UserId } from '../model/ids.ts';
import type { Role } from '../model/subject.ts';
import { unstorable, violated, writeAccounts } from './account-writes.ts';
import { pageOf, pageValues } from './pages.ts';
import type { Database } from './pool.ts';
import { epochMs } from './sql.ts';

const COLUMNS = `id, organization_id, name, email, role, ${epochMs('created_at')} AS created_at_ms,
  ${epochMs('disabled_at')} AS disabled_at_ms`;

interface UserRow {
  readonly id: string;
  readonly organization_id: string;
  readonly name: string;
  readonly email: string | null;
  readonly role: string;
  readonly created_at_ms: number;
  readonly disabled_at_ms: number | null;
}

const INSERT = {
  name: 'user_insert',
  text: `INSERT INTO latchkey.users (id, organization_id, name, email, role)
    VALUES ($1, $2, $3, $4, $5) RETURNING ${COLUMNS}`,
};

const LIST = {
  name: 'user_list',
  text: `SELECT ${COLUMNS} FROM latchkey.users
    WHERE ($1::text IS NULL OR organization_id = $1) AND ($2::text IS NULL OR id > $2)
    ORDER BY id LIMIT $3`,
};

const FIND = {
  name: 'user_find',
  text: `SELECT ${COLUMNS} FROM latchkey.users
    WHERE id = $1 OR lower(email) = lower($1) ORDER BY (id = $1) DESC LIMIT 1`,
};

const SWITCH = {
  name: 'user_switch',
  text: `UPDATE latchkey.users SET disabled_at = CASE WHEN $2 THEN now() END
    WHERE id = $1 AND (disabled_at IS NOT NULL) <> $2 RETURNING id`,
};

export function createUserStore(database: Database): UserStore {
  return {
    async create(user, context) {
      const bad = unstorable({ ...user, actor: context.actor });
      if (bad !== undefined) return bad;
      const { id, organizationId, name, email, role } = user;
      try {
        return await writeAccounts(database, context, async (writer) => {
          const values = [id, organizationId, name, email, role];
          const rows = await writer.session.query<UserRow>(INSERT, values);
          const record = onlyRecord(rows);
          const details = { name, email, role };
          await writer.audit({ ...auditOf(record), verb: 'user.create', details });
          return { kind: 'created', record, at: await writer.position() } as const;
        });
      } catch (error) {
        const violation = violated(error, 'users');
        if (violation === undefined) throw error;
        if (!('constraint' in violation)) return violation;
        if (violation.constraint === 'users_pkey') return { kind: 'id_taken' };
        if (violation.constraint === 'users_email_key') return { kind: 'email_taken' };
        if (violation.constraint === 'users_organization_id_fkey') {
          return { kind: 'organization_absent' };
        }
        throw error;
      }
    },

    async list(filter, page, signal) {
      if (unstorable({ ...filter, ...page }) !== undefined) return { items: [], nextAfterId: null };
      const values = [filter.organizationId ?? null, ...pageValues(page)];
      const rows = await database.query<UserRow>(LIST, values, signal);
      return pageOf(rows.map(recordOf), page);
    },

    async find(idOrEmail, signal) {
      if (unstorable({ idOrEmail }) !== undefined) return undefined;
      const rows = await database.query<UserRow>(FIND, [idOrEmail], signal);
      return rows.map(recordOf)[0];
    },

    async setDisabled(id, disabled, context) {
      if (unstorable({ id }) !== undefined) return { kind: 'absent' };
      return writeAccounts(database, context, async (writer) => {
        const switched = await writer.session.query(SWITCH, [id, disabled]);
        const rows = await writer.session.query<UserRow>(FIND, [id]);
        const record = rows.map(recordOf).find((found) => found.id === id);
        if (record === undefined) return { kind: 'absent' };
        const changed = switched.length > 0;
        const verb = disabled ? 'user.disable' : 'user.enable';
        if (changed) await writer.audit({ ...auditOf(record), verb, details: {} });
        return { kind: 'switched', changed, record, at: await writer.position() };
      });
    },
  };
}

const auditOf = (user: UserRecord) =>
  ({ objectKind: 'user', objectId: user.id, organizationId: user.organizationId }) as const;

function onlyRecord(rows: readonly UserRow[]): UserRecord {
  const [row] = rows;
  if (row === undefined) throw new TypeError('INSERT … RETURNING gave no row.');
  return recordOf(row);
}

function recordOf(row: UserRow): UserRecord {
  return {
    id: row.id as UserId,
    organizationId: row.organization_id as OrganizationId,
    name: row.name,
    email: row.email,
    // The column's check constraint lists the roles.
    role: row.role as Role,
    createdAtMs: row.created_at_ms,
    disabledAtMs: row.disabled_at_ms,
  };
}
