import type { OrganizationRecord, OrganizationStore } from '../accounts/ports.ts';
import type { OrganizationId } from '../model/ids.ts';
import { unstorable, violated, writeAccounts } from './account-writes.ts';
import { pageOf, pageValues } from './pages.ts';
import type { Database } from './pool.ts';
import { epochMs } from './sql.ts';

const COLUMNS = `id, name, plan, ${epochMs('created_at')} AS created_at_ms,
  ${epochMs('disabled_at')} AS disabled_at_ms`;

interface OrganizationRow {
  readonly id: string;
  readonly name: string;
  readonly plan: string | null;
  readonly created_at_ms: number;
  readonly disabled_at_ms: number | null;
}

const INSERT = {
  name: 'organization_insert',
  text: `INSERT INTO latchkey.organizations (id, name, plan) VALUES ($1, $2, $3) RETURNING ${COLUMNS}`,
};

const LIST = {
  name: 'organization_list',
  text: `SELECT ${COLUMNS} FROM latchkey.organizations
    WHERE ($1::text IS NULL OR id > $1) ORDER BY id LIMIT $2`,
};

const FIND = {
  name: 'organization_find',
  text: `SELECT ${COLUMNS} FROM latchkey.organizations
    WHERE id = $1 OR name = $1 ORDER BY (id = $1) DESC LIMIT 1`,
};

/** Only a row that is not yet so is touched: switching twice is one change. */
const SWITCH = {
  name: 'organization_switch',
  text: `UPDATE latchkey.organizations SET disabled_at = CASE WHEN $2 THEN now() END
    WHERE id = $1 AND (disabled_at IS NOT NULL) <> $2 RETURNING id`,
};

export function createOrganizationStore(database: Database): OrganizationStore {
  return {
    async create(organization, context) {
      const bad = unstorable({ ...organization, actor: context.actor });
      if (bad !== undefined) return bad;
      const { id, name, plan } = organization;
      try {
        return await writeAccounts(database, context, async (writer) => {
          const rows = await writer.session.query<OrganizationRow>(INSERT, [id, name, plan]);
          await writer.audit({
            ...auditOf(id),
            verb: 'organization.create',
            details: { name, plan },
          });
          return {
            kind: 'created',
            record: onlyRecord(rows),
            at: await writer.position(),
          } as const;
        });
      } catch (error) {
        const violation = violated(error, 'organizations');
        if (violation === undefined) throw error;
        if (!('constraint' in violation)) return violation;
        if (violation.constraint === 'organizations_pkey') return { kind: 'id_taken' };
        if (violation.constraint === 'organizations_name_key') return { kind: 'name_taken' };
        throw error;
      }
    },

    async list(page, signal) {
      if (unstorable({ ...page }) !== undefined) return { items: [], nextAfterId: null };
      const rows = await database.query<OrganizationRow>(LIST, pageValues(page), signal);
      return pageOf(rows.map(recordOf), page);
    },

    async find(idOrName, signal) {
      if (unstorable({ idOrName }) !== undefined) return undefined;
      const rows = await database.query<OrganizationRow>(FIND, [idOrName], signal);
      return rows.map(recordOf)[0];
    },

    async setDisabled(id, disabled, context) {
      if (unstorable({ id }) !== undefined) return { kind: 'absent' };
      return writeAccounts(database, context, async (writer) => {
        const switched = await writer.session.query(SWITCH, [id, disabled]);
        const rows = await writer.session.query<OrganizationRow>(FIND, [id]);
        const record = rows.map(recordOf).find((found) => found.id === id);
        if (record === undefined) return { kind: 'absent' };
        const changed = switched.length > 0;
        const verb = disabled ? 'organization.disable' : 'organization.enable';
        if (changed) await writer.audit({ ...auditOf(id), verb, details: {} });
        return { kind: 'switched', changed, record, at: await writer.position() };
      });
    },
  };
}

const auditOf = (id: OrganizationId) =>
  ({ objectKind: 'organization', objectId: id, organizationId: id }) as const;

function onlyRecord(rows: readonly OrganizationRow[]): OrganizationRecord {
  const [row] = rows;
  if (row === undefined) throw new TypeError('INSERT … RETURNING gave no row.');
  return recordOf(row);
}

function recordOf(row: OrganizationRow): OrganizationRecord {
  return {
    id: row.id as OrganizationId,
    name: row.name,
    plan: row.plan,
    createdAtMs: row.created_at_ms,
    disabledAtMs: row.disabled_at_ms,
  };
}
