import type { StorePosition } from '../../model/change.ts';
import type { KeyId } from '../../model/ids.ts';
import type { Accounts } from '../accounts.ts';
import type { KeyRecord, WriteContext } from '../ports.ts';
import { ok, type Result } from '../result.ts';
import { noSuchKey } from './find-key.ts';

export interface Revocation {
  readonly record: KeyRecord;
  /** `false`: it was revoked before; waiting for `at` is right as well. */
  readonly changed: boolean;
  readonly at: StorePosition;
}

/** For good. To switch a key off for a while, disable it. */
export async function revokeKey(
  accounts: Accounts,
  id: KeyId,
  context: WriteContext,
): Promise<Result<Revocation>> {
  const revoked = await accounts.keys.revoke(id, context);
  return revoked.kind === 'absent' ? noSuchKey(id) : ok(revoked);
}
