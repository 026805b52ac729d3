import type { KeyFormat } from '../../key-text/key-format.ts';
import { mintSecret } from '../../key-text/mint.ts';
import type { KeyId } from '../../model/ids.ts';
import type { Accounts } from '../accounts.ts';
import { unstorable } from '../fields.ts';
import type { WriteContext } from '../ports.ts';
import { ok, type Result, refusal } from '../result.ts';
import { type KeyWithText, newSecret } from './create-key.ts';
import { findKey, noSuchKey } from './find-key.ts';

export interface RotationWish {
  readonly id: KeyId;
  /** How long the old secret goes on working; 0 ends it at once. */
  readonly overlapMs: number;
}

/** A new secret under the same id. Two secrets at most: a key that rotates already has to finish first. */
export async function rotateKey(
  accounts: Accounts,
  { wish, format }: { readonly wish: RotationWish; readonly format: KeyFormat },
  context: WriteContext,
): Promise<Result<KeyWithText>> {
  const found = await findKey(accounts, wish.id, context.signal);
  if (found.kind === 'refused') return found;
  const { environment } = found.value;
  if (!format.environments.includes(environment)) {
    return refusal(
      'invalid',
      `The key is of the environment ${JSON.stringify(environment)}, which the policy no longer has.`,
    );
  }
  const minted = mintSecret(format, { environment, id: wish.id }, accounts.randomBytes);
  const oldSecret =
    wish.overlapMs === 0
      ? ({ kind: 'at_once' } as const)
      : ({ kind: 'at', ms: accounts.clock().wallMs + wish.overlapMs } as const);
  const rotated = await accounts.keys.rotate(
    { id: wish.id, secret: newSecret(accounts, minted), oldSecret },
    context,
  );
  switch (rotated.kind) {
    case 'rotated':
      return ok({ record: rotated.record, text: minted.text, at: rotated.at });
    case 'absent':
      return noSuchKey(wish.id);
    case 'revoked':
      return refusal('conflict', 'The key is revoked, which is for good. Create a new one.');
    case 'digest_taken':
      return refusal('conflict', 'The new secret was taken. Try again.');
    case 'two_live_secrets':
      return refusal(
        'conflict',
        `The key is rotating already: its old secret works until ${new Date(rotated.oldExpiresAtMs).toISOString()}. Wait for that, or rotate with an overlap of 0, which ends both now.`,
      );
    case 'unstorable_text':
      return unstorable(rotated);
  }
}
