import type { Accounts } from '../accounts.ts';
import type { UserRecord, WriteContext } from '../ports.ts';
import { ok, type Result } from '../result.ts';
import type { Switched } from '../switched.ts';
import { findUser, noSuchUser } from './find-user.ts';

/** The keys of a disabled user are refused until the user is enabled again. */
export async function setUserDisabled(
  accounts: Accounts,
  { idOrEmail, disabled }: { readonly idOrEmail: string; readonly disabled: boolean },
  context: WriteContext,
): Promise<Result<Switched<UserRecord>>> {
  const found = await findUser(accounts, idOrEmail, context.signal);
  if (found.kind === 'refused') return found;
  const switched = await accounts.users.setDisabled(found.value.id, disabled, context);
  return switched.kind === 'absent' ? noSuchUser(idOrEmail) : ok(switched);
}
