import { Buffer } from 'node:buffer';
import type { KeyFormat } from '../../key-text/key-format.ts';
import { type MintedKey, mintKey } from '../../key-text/mint.ts';
import type { StorePosition } from '../../model/change.ts';
import type { Accounts } from '../accounts.ts';
import { checkCidrs, checkExpiry, checkName, checkScopes } from '../fields.ts';
import type { JsonValue, KeyRecord, NewSecret, WriteContext } from '../ports.ts';
import { ok, type Refusal, type Result, refusal } from '../result.ts';
import { keyOwner } from './key-owner.ts';
import { newKeyRefusal } from './new-key-problem.ts';

export interface KeyWish {
  /** Id or name. */
  readonly organization: string;
  /** Id or e-mail address. */
  readonly owner: string | null;
  readonly name: string;
  readonly environment: string;
  readonly scopes: readonly string[];
  readonly plan: string | null;
  readonly allowedCidrs: readonly string[];
  readonly metadata: { readonly [name: string]: JsonValue };
  readonly expiresAtMs: number | null;
}

/** The text is shown once and kept nowhere. */
export interface KeyWithText {
  readonly record: KeyRecord;
  readonly text: string;
  readonly at: StorePosition;
}

/** Two ids of 62^10 meet once in a lifetime; three in a row are a broken source of randomness. */
const MINTS_MAX = 3;

export async function createKey(
  accounts: Accounts,
  { wish, format }: { readonly wish: KeyWish; readonly format: KeyFormat },
  context: WriteContext,
): Promise<Result<KeyWithText>> {
  const problem = checkWish(wish, format, accounts);
  if (problem !== undefined) return problem;
  const owner = await keyOwner(accounts, wish, context.signal);
  if (owner.kind === 'refused') return owner;
  const { name, environment, scopes, plan, allowedCidrs, metadata, expiresAtMs } = wish;
  for (let attempt = 0; attempt < MINTS_MAX; attempt += 1) {
    const minted = mintKey(format, environment, accounts.randomBytes);
    const created = await accounts.keys.create(
      {
        ...{ id: minted.id, name, ...owner.value, environment, scopes, plan },
        ...{ allowedCidrs, metadata, expiresAtMs, secret: newSecret(accounts, minted) },
      },
      context,
    );
    if (created.kind === 'created') {
      return ok({ record: created.record, text: minted.text, at: created.at });
    }
    if (created.kind !== 'id_taken') return newKeyRefusal(created);
  }
  return refusal('conflict', 'No free id was found for the key. Check the source of randomness.');
}

export function newSecret(accounts: Accounts, minted: MintedKey): NewSecret {
  return {
    digest: accounts.digestForNew(Buffer.from(minted.digest, 'base64url')),
    start: minted.displayStart,
  };
}

function checkWish(wish: KeyWish, format: KeyFormat, { clock }: Accounts): Refusal | undefined {
  if (!format.environments.includes(wish.environment)) {
    return refusal(
      'invalid',
      `There is no environment ${JSON.stringify(wish.environment)}. The policy has: ${format.environments.join(', ')}.`,
    );
  }
  return (
    checkName(wish.name, 'name of the key') ??
    checkScopes(wish.scopes) ??
    checkCidrs(wish.allowedCidrs) ??
    checkExpiry(wish.expiresAtMs, clock().wallMs)
  );
}
