import type { KeyId } from '../../model/ids.ts';
import type { Accounts } from '../accounts.ts';
import type { KeyRecord, WriteContext } from '../ports.ts';
import { ok, type Result, refusal } from '../result.ts';
import type { Switched } from '../switched.ts';
import { findKey, noSuchKey } from './find-key.ts';

/** Off for a while. A revoked key stays revoked, so there is nothing to switch. */
export async function setKeyDisabled(
  accounts: Accounts,
  { id, disabled }: { readonly id: KeyId; readonly disabled: boolean },
  context: WriteContext,
): Promise<Result<Switched<KeyRecord>>> {
  const found = await findKey(accounts, id, context.signal);
  if (found.kind === 'refused') return found;
  if (found.value.revokedAtMs !== null) {
    return refusal('conflict', 'The key is revoked, which is for good. Create a new one.');
  }
  const switched = await accounts.keys.setDisabled(id, disabled, context);
  return switched.kind === 'absent' ? noSuchKey(id) : ok(switched);
}
