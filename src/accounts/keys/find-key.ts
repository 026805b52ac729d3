import type { KeyId } from '../../model/ids.ts';
import type { Accounts } from '../accounts.ts';
import type { KeyRecord } from '../ports.ts';
import { ok, type Refusal, type Result, refusal } from '../result.ts';

export async function findKey(
  accounts: Accounts,
  id: KeyId,
  signal: AbortSignal,
): Promise<Result<KeyRecord>> {
  const record = await accounts.keys.find(id, signal);
  return record === undefined ? noSuchKey(id) : ok(record);
}

export function noSuchKey(id: KeyId): Refusal {
  return refusal(
    'not_found',
    `There is no key with the id ${JSON.stringify(id)}. \`latchkey keys list\` shows those that exist.`,
  );
}
