import type { OrganizationId, UserId } from '../../model/ids.ts';
import type { Accounts } from '../accounts.ts';
import { findOrganization } from '../organizations/find-organization.ts';
import { ok, type Result, refusal } from '../result.ts';

export interface KeyOwner {
  readonly organizationId: OrganizationId;
  readonly ownerId: UserId | null;
}

/** Where a new key belongs. An owner of another organization is answered word for word as one that does not exist. */
export async function keyOwner(
  accounts: Accounts,
  wish: { readonly organization: string; readonly owner: string | null },
  signal: AbortSignal,
): Promise<Result<KeyOwner>> {
  const organization = await findOrganization(accounts, wish.organization, signal);
  if (organization.kind === 'refused') return organization;
  const organizationId = organization.value.id;
  if (wish.owner === null) return ok({ organizationId, ownerId: null });
  const owner = await accounts.users.find(wish.owner, signal);
  if (owner?.organizationId !== organizationId) {
    return refusal(
      'not_found',
      `There is no user ${JSON.stringify(wish.owner)} in the organization ${JSON.stringify(wish.organization)}. \`latchkey users list --org …\` shows those that exist.`,
    );
  }
  return ok({ organizationId, ownerId: owner.id });
}
