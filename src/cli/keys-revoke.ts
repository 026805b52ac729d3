import { revokeKey } from '../accounts/keys/revoke-key.ts';
import type { KeyId } from '../model/ids.ts';
import { tellChange } from './change.ts';
import { createReply } from './output.ts';
import type { Runtime } from './ports.ts';
import { type WaitFlags, waitTimeoutMs } from './replica-wait.ts';
import { withAccounts } from './with-accounts.ts';

export async function revokeKeyCommand(
  runtime: Runtime,
  id: string,
  flags: WaitFlags,
): Promise<number> {
  const timeoutMs = waitTimeoutMs(flags);
  if (typeof timeoutMs === 'object') return createReply(runtime.terminal, flags).refuse(timeoutMs);
  return withAccounts(runtime, flags, async (command) => {
    const { accounts, actor, signal, reply } = command;
    const revoked = await revokeKey(accounts, id as KeyId, { actor, signal });
    if (revoked.kind === 'refused') return reply.refuse(revoked);
    const { record, changed } = revoked.value;
    const line = changed ? `Revoked ${record.id}.` : `${record.id} was revoked before.`;
    return tellChange(command, { ...revoked.value, line }, flags.wait === true && timeoutMs);
  });
}
