import type { Accounts } from '../accounts.ts';
import type { UserRecord } from '../ports.ts';
import { ok, type Result, refusal } from '../result.ts';

export async function findUser(
  accounts: Accounts,
  idOrEmail: string,
  signal: AbortSignal,
): Promise<Result<UserRecord>> {
  const record = await accounts.users.find(idOrEmail, signal);
  if (record !== undefined) return ok(record);
  return refusal(
    'not_found',
    `There is no user ${JSON.stringify(idOrEmail)}. \`latchkey users list\` shows those that exist.`,
  );
}
