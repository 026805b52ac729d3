import { rotateKey } from '../accounts/keys/rotate-key.ts';
import type { KeyRecord } from '../accounts/ports.ts';
import { refusal } from '../accounts/result.ts';
import type { KeyId } from '../model/ids.ts';
import { liveSecrets } from './key-fields.ts';
import { policyForKeys, tellKey } from './keys-create.ts';
import { createReply, timeText } from './output.ts';
import type { Flags, Runtime } from './ports.ts';
import { spanMs } from './time-span.ts';
import { withAccounts } from './with-accounts.ts';

export interface RotateFlags extends Flags {
  readonly overlap: string;
}

export async function rotateKeyCommand(
  runtime: Runtime,
  id: string,
  flags: RotateFlags,
): Promise<number> {
  const reply = createReply(runtime.terminal, flags);
  const overlapMs = spanMs(flags.overlap);
  if (overlapMs === undefined) {
    const message = `--overlap ${JSON.stringify(flags.overlap)} is no time span. Write 30m, 24h, 7d (3650d at most), or 0.`;
    return reply.refuse(refusal('invalid', message));
  }
  const policy = await policyForKeys(runtime, flags);
  if (policy.kind === 'refused') return reply.refuse(policy);
  const { keyFormat: format } = policy.value;
  return withAccounts(runtime, flags, async ({ accounts, actor, signal }) => {
    const wish = { id: id as KeyId, overlapMs };
    const rotated = await rotateKey(accounts, { wish, format }, { actor, signal });
    if (rotated.kind === 'refused') return reply.refuse(rotated);
    const { record } = rotated.value;
    return tellKey(reply, rotated.value, [
      ['id', record.id],
      ['name', record.name],
      ['old secret', oldSecretText(record, accounts.clock().wallMs)],
    ]);
  });
}

/** The newest secret is the last; one more that lives is the old one. */
function oldSecretText(record: KeyRecord, wallMs: number): string {
  const [old, ...newer] = liveSecrets(record, wallMs);
  if (old === undefined || newer.length === 0) return 'has ended';
  return `works until ${timeText(old.expiresAtMs)}`;
}
