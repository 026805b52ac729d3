import type { Accounts } from '../accounts.ts';
import type { UserRecord } from '../ports.ts';
import { ok, type Refusal, type Result, refusal } from '../result.ts';

export async function findUser(
  accounts: Accounts,
  idOrEmail: string,
  signal: AbortSignal,
): Promise<Result<UserRecord>> {
  const record = await accounts.users.find(idOrEmail, signal);
  return record === undefined ? noSuchUser(idOrEmail) : ok(record);
}

export function noSuchUser(idOrEmail: string): Refusal {
  return refusal(
    'not_found',
    `There is no user ${JSON.stringify(idOrEmail)}. \`latchkey users list\` shows those that exist.`,
  );
}
