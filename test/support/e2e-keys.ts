import type { Accounts } from '../../src/accounts/accounts.ts';
import { createKey, type KeyWish } from '../../src/accounts/keys/create-key.ts';
import { importKeys } from '../../src/accounts/keys/import-keys.ts';
import { revokeKey } from '../../src/accounts/keys/revoke-key.ts';
import { createOrganization } from '../../src/accounts/organizations/create-organization.ts';
import type { WriteContext } from '../../src/accounts/ports.ts';
import type { Result } from '../../src/accounts/result.ts';
import { createUser } from '../../src/accounts/users/create-user.ts';
import { createAccounts } from '../../src/app/accounts.ts';
import { DEFAULT_KEY_FORMAT } from '../../src/key-text/key-format.ts';
import type { KeyId } from '../../src/model/ids.ts';
import { PepperKeyring } from '../../src/secrets/pepper-keyring.ts';
import type { TestPostgres } from './postgres.ts';

export interface TestKey {
  readonly id: KeyId;
  readonly text: string;
}

/** Keys of one organization, written as the command line writes them, without its process. */
export interface TestKeys {
  readonly organizationId: string;
  /** A member's key with these scopes. */
  create(wish?: Partial<KeyWish>): Promise<TestKey>;
  /** A key of another vendor. */
  importText(text: string, wish?: Partial<KeyWish>): Promise<TestKey>;
  revoke(id: KeyId): Promise<void>;
}

/** What the upstream is told of an owner: the ids of two users of the organization. */
export interface TestOwners {
  readonly member: string;
  readonly orgAdmin: string;
}

const TIMEOUT_MS = 10_000;
const context = (): WriteContext => ({ actor: 'test', signal: AbortSignal.timeout(TIMEOUT_MS) });

/** An organization `acme` with a member and an administrator, and what makes keys in it. */
export async function createTestKeys(
  postgres: Pick<TestPostgres, 'database'>,
  organizationName = 'acme',
): Promise<TestKeys & { readonly owners: TestOwners }> {
  const accounts = createAccounts(postgres.database(), new PepperKeyring([]));
  const organization = granted(
    await createOrganization(accounts, { name: organizationName, plan: null }, context()),
  );
  const user = async (role: 'member' | 'org_admin'): Promise<string> => {
    const wish = { organization: organization.id, name: role, email: null, role };
    return granted(await createUser(accounts, wish, context())).id;
  };
  const owners = { member: await user('member'), orgAdmin: await user('org_admin') };
  const complete = (wish: Partial<KeyWish>): KeyWish => ({
    ...{ organization: organization.id, owner: null, name: 'test', environment: 'live' },
    ...{ scopes: ['read'], plan: null, allowedCidrs: [], metadata: {}, expiresAtMs: null },
    ...wish,
  });
  return {
    organizationId: organization.id,
    owners,
    create: (wish = {}) => create(accounts, complete(wish)),
    importText: (text, wish = {}) => importText(accounts, text, complete(wish)),
    async revoke(id) {
      granted(await revokeKey(accounts, id, context()));
    },
  };
}

async function create(accounts: Accounts, wish: KeyWish): Promise<TestKey> {
  const created = await createKey(accounts, { wish, format: DEFAULT_KEY_FORMAT }, context());
  const { record, text } = granted(created);
  return { id: record.id, text };
}

async function importText(accounts: Accounts, text: string, wish: KeyWish): Promise<TestKey> {
  const imported = await importKeys(
    accounts,
    [{ ...wish, secret: { by: 'text', text } }],
    context(),
  );
  const [id] = granted(imported).ids;
  if (id === undefined) throw new Error('nothing was imported');
  return { id, text };
}

function granted<T>(result: Result<T>): T {
  if (result.kind === 'ok') return result.value;
  throw new Error(result.message);
}
