import type { Accounts } from '../accounts.ts';
import type { OrganizationRecord, WriteContext } from '../ports.ts';
import { ok, type Result } from '../result.ts';
import type { Switched } from '../switched.ts';
import { findOrganization, noSuchOrganization } from './find-organization.ts';

/** A disabled organization's keys are refused, all of them, until it is enabled again. */
export async function setOrganizationDisabled(
  accounts: Accounts,
  { idOrName, disabled }: { readonly idOrName: string; readonly disabled: boolean },
  context: WriteContext,
): Promise<Result<Switched<OrganizationRecord>>> {
  const found = await findOrganization(accounts, idOrName, context.signal);
  if (found.kind === 'refused') return found;
  const switched = await accounts.organizations.setDisabled(found.value.id, disabled, context);
  return switched.kind === 'absent' ? noSuchOrganization(idOrName) : ok(switched);
}
