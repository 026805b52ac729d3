import { rotateKey } from '../accounts/keys/rotate-key.ts';
import { refusal } from '../accounts/result.ts';
import type { KeyId } from '../model/ids.ts';
import { NO_POLICY, tellKey } from './keys-create.ts';
import { refuse } from './output.ts';
import { EXIT, type Flags, type Runtime } from './ports.ts';
import { spanMs } from './time-span.ts';
import { withAccounts } from './with-accounts.ts';

export interface RotateFlags extends Flags {
  readonly overlap: string;
}

export function rotateKeyCommand(
  runtime: Runtime,
  id: string,
  flags: RotateFlags,
): Promise<number> {
  const json = flags['json'] === true;
  return withAccounts(runtime, flags, async ({ accounts, actor, policy }, signal) => {
    if (policy === undefined) return refuse(runtime.terminal, NO_POLICY, json);
    const overlapMs = spanMs(flags.overlap);
    if (overlapMs === undefined) {
      const message = `--overlap ${JSON.stringify(flags.overlap)} is no time span. Write 30m, 24h, 7d, or 0.`;
      return refuse(runtime.terminal, refusal('invalid', message), json);
    }
    const wish = { id: id as KeyId, overlapMs };
    const rotated = await rotateKey(
      accounts,
      { wish, format: policy.keyFormat },
      { actor, signal },
    );
    if (rotated.kind === 'refused') return refuse(runtime.terminal, rotated, json);
    tellKey(runtime.terminal, rotated.value, json);
    return EXIT.ok;
  });
}
