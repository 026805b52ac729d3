import type { Accounts } from '../accounts.ts';
import type { OrganizationRecord } from '../ports.ts';
import { ok, type Refusal, type Result, refusal } from '../result.ts';

export async function findOrganization(
  accounts: Accounts,
  idOrName: string,
  signal: AbortSignal,
): Promise<Result<OrganizationRecord>> {
  const record = await accounts.organizations.find(idOrName, signal);
  return record === undefined ? noSuchOrganization(idOrName) : ok(record);
}

export function noSuchOrganization(idOrName: string): Refusal {
  return refusal(
    'not_found',
    `There is no organization ${JSON.stringify(idOrName)}. \`latchkey orgs list\` shows those that exist.`,
  );
}
