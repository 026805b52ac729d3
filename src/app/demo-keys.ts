import type { Accounts } from '../accounts/accounts.ts';
import { createKey, type KeyWithText } from '../accounts/keys/create-key.ts';
import { createOrganization } from '../accounts/organizations/create-organization.ts';
import type { Result } from '../accounts/result.ts';
import { createUser } from '../accounts/users/create-user.ts';
import type { KeyFormat } from '../key-text/key-format.ts';

/** The keys of the demo: what each may do shows in what it is refused. */
export interface DemoKeys {
  readonly reader: KeyWithText;
  readonly writer: KeyWithText;
  /** On a plan so small that its limit can be met by hand. */
  readonly trial: KeyWithText;
}

const ORGANIZATION = 'demo';

export async function createDemoKeys(
  accounts: Accounts,
  format: KeyFormat,
  signal: AbortSignal,
): Promise<DemoKeys> {
  const context = { actor: 'demo', signal };
  const organization = value(
    await createOrganization(accounts, { name: ORGANIZATION, plan: null }, context),
  );
  const owner = value(
    await createUser(
      accounts,
      {
        organization: organization.id,
        name: 'Dana Demo',
        email: 'dana@example.com',
        role: 'member',
      },
      context,
    ),
  );
  const key = async (name: string, scopes: readonly string[], plan: string | null) =>
    value(
      await createKey(
        accounts,
        {
          wish: {
            ...{ organization: organization.id, owner: owner.id, name, scopes, plan },
            ...{ environment: 'live', allowedCidrs: [], metadata: {}, expiresAtMs: null },
          },
          format,
        },
        context,
      ),
    );
  return {
    reader: await key('reader', ['read'], null),
    writer: await key('writer', ['read', 'write'], null),
    trial: await key('trial', ['read'], 'trial'),
  };
}

/** On a database of our own making a refusal is a bug. */
function value<T>(result: Result<T>): T {
  if (result.kind === 'ok') return result.value;
  throw new Error(`The demo could not be prepared: ${result.message}`);
}
