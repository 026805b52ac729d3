import type { Accounts } from '../../../src/accounts/accounts.ts';
import type { KeyWish } from '../../../src/accounts/keys/create-key.ts';
import { createOrganization } from '../../../src/accounts/organizations/create-organization.ts';
import type { WriteContext } from '../../../src/accounts/ports.ts';
import type { Refusal, Result } from '../../../src/accounts/result.ts';
import { createUser } from '../../../src/accounts/users/create-user.ts';
import { createAccounts } from '../../../src/app/accounts.ts';
import { PepperKeyring } from '../../../src/secrets/pepper-keyring.ts';
import { startTestPostgres, type TestPostgres } from '../../support/postgres.ts';

export const context: WriteContext = { actor: 'cli:test', signal: AbortSignal.timeout(60_000) };

export interface AccountsOnPostgres {
  readonly postgres: TestPostgres;
  readonly accounts: Accounts;
  /** Oldest first, without the ids of rows. */
  audit(): Promise<AuditRow[]>;
  /** Everything that the database holds, as text: for tests that look for secrets. */
  dump(): Promise<string>;
}

export interface AuditRow {
  readonly actor: string;
  readonly verb: string;
  readonly object_id: string;
  readonly organization_id: string | null;
  readonly details: Readonly<Record<string, unknown>>;
}

/** Organizations `acme` (with Dana and Ed) and `other` (with Olga), on a real server. */
export async function startAccounts(): Promise<AccountsOnPostgres> {
  const postgres = await startTestPostgres();
  const accounts = createAccounts(postgres.database(), new PepperKeyring([]));
  for (const name of ['acme', 'other']) {
    granted(await createOrganization(accounts, { name, plan: null }, context));
  }
  for (const [name, organization] of [
    ['dana', 'acme'],
    ['ed', 'acme'],
    ['olga', 'other'],
  ] as const) {
    const wish = { organization, name, email: `${name}@example.com`, role: 'member' as const };
    granted(await createUser(accounts, wish, context));
  }
  const tables = [
    'organizations',
    'users',
    'api_keys',
    'api_key_secrets',
    'audit_log',
    'change_log',
  ];
  return {
    postgres,
    accounts,
    audit: () =>
      postgres.sql<AuditRow>(
        'SELECT actor, verb, object_id, organization_id, details FROM latchkey.audit_log ORDER BY id',
      ),
    async dump() {
      const parts = tables.map((table) => postgres.sql(`SELECT t::text FROM latchkey.${table} t`));
      return JSON.stringify(await Promise.all(parts));
    },
  };
}

/** A key of acme that may read. */
export function keyWish(changes: Partial<KeyWish> = {}): KeyWish {
  return {
    ...{ organization: 'acme', owner: null, name: 'ci', environment: 'live', scopes: ['read'] },
    ...{ plan: null, allowedCidrs: [], metadata: {}, expiresAtMs: null },
    ...changes,
  };
}

export function granted<T>(result: Result<T>): T {
  if (result.kind === 'ok') return result.value;
  throw new Error(`refused: ${result.message}`);
}

export function refused<T>(result: Result<T>): Refusal {
  if (result.kind === 'refused') return result;
  throw new Error(`granted: ${JSON.stringify(result.value)}`);
}
