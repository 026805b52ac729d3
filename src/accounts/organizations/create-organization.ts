import type { OrganizationId } from '../../model/ids.ts';
import type { Accounts } from '../accounts.ts';
import { checkName, unstorable } from '../fields.ts';
import { looksLikeId, newId } from '../new-id.ts';
import type { OrganizationRecord, WriteContext } from '../ports.ts';
import { ok, type Result, refusal } from '../result.ts';

export async function createOrganization(
  accounts: Accounts,
  wish: { readonly name: string; readonly plan: string | null },
  context: WriteContext,
): Promise<Result<OrganizationRecord>> {
  const problem = checkName(wish.name, 'name of the organization');
  if (problem !== undefined) return problem;
  if (looksLikeId(wish.name)) {
    return refusal(
      'invalid',
      'The name has the form of an id. Choose a name that cannot be taken for one.',
    );
  }
  // The one place where an OrganizationId is made up.
  const id = newId('org', accounts) as OrganizationId;
  const created = await accounts.organizations.create({ id, ...wish }, context);
  switch (created.kind) {
    case 'created':
      return ok(created.record);
    case 'name_taken':
      return refusal(
        'conflict',
        `There is an organization named ${JSON.stringify(wish.name)} already.`,
      );
    case 'id_taken':
      return refusal('conflict', 'The new id was taken. Try again.');
    case 'unstorable_text':
      return unstorable(created);
  }
}
