import type { UserId } from '../../model/ids.ts';
import type { Role } from '../../model/subject.ts';
import type { Accounts } from '../accounts.ts';
import { checkEmail, checkName, unstorable } from '../fields.ts';
import { newId } from '../new-id.ts';
import { findOrganization } from '../organizations/find-organization.ts';
import type { UserRecord, WriteContext } from '../ports.ts';
import { ok, type Result, refusal } from '../result.ts';

export interface UserWish {
  /** Id or name. */
  readonly organization: string;
  readonly name: string;
  readonly email: string | null;
  readonly role: Role;
}

export async function createUser(
  accounts: Accounts,
  wish: UserWish,
  context: WriteContext,
): Promise<Result<UserRecord>> {
  const problem = checkName(wish.name, 'name of the user') ?? checkEmail(wish.email);
  if (problem !== undefined) return problem;
  const organization = await findOrganization(accounts, wish.organization, context.signal);
  if (organization.kind === 'refused') return organization;
  const created = await accounts.users.create(
    {
      // The one place where a UserId is made up.
      id: newId('usr', accounts) as UserId,
      organizationId: organization.value.id,
      name: wish.name,
      email: wish.email,
      role: wish.role,
    },
    context,
  );
  switch (created.kind) {
    case 'created':
      return ok(created.record);
    case 'email_taken':
      return refusal(
        'conflict',
        `There is a user with the address ${JSON.stringify(wish.email)} already.`,
      );
    case 'id_taken':
      return refusal('conflict', 'The new id was taken. Try again.');
    case 'organization_absent':
      return refusal('not_found', 'The organization has just been removed.');
    case 'unstorable_text':
      return unstorable(created);
  }
}
