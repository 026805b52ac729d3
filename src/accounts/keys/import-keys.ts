import { Buffer } from 'node:buffer';
import { randomBase62 } from '../../key-text/base62.ts';
import { digestKey } from '../../key-text/digest.ts';
import { KEY_ID_CHARS } from '../../key-text/key-format.ts';
import { isKeyText } from '../../key-text/read.ts';
import type { StorePosition } from '../../model/change.ts';
import type { Digest, KeyId } from '../../model/ids.ts';
import type { Accounts } from '../accounts.ts';
import { checkCidrs, checkExpiry, checkName, checkScopes } from '../fields.ts';
import type { NewKey, WriteContext } from '../ports.ts';
import { ok, type Refusal, type Result, refusal } from '../result.ts';
import type { KeyWish } from './create-key.ts';
import { type KeyOwner, keyOwner } from './key-owner.ts';
import { newKeyRefusal } from './new-key-problem.ts';

/** A key of another system, by its text or by the SHA-256 of its text. It works unchanged where the policy accepts it. */
export interface ImportedKey extends KeyWish {
  /** How messages name it (`line 7`); without it they count from `row 1`. */
  readonly place?: string;
  readonly secret:
    | { readonly by: 'text'; readonly text: string }
    /** 64 hexadecimal digits. */
    | { readonly by: 'sha256'; readonly hex: string };
}

export interface Import {
  readonly ids: readonly KeyId[];
  readonly at: StorePosition;
}

/** Shown of a foreign key in lists: its text has no public part that could be told apart from its secret. */
const FOREIGN_START = 'imported';

/** All or none: every row's problem is told, and nothing is written if there is one. */
export async function importKeys(
  accounts: Accounts,
  rows: readonly ImportedKey[],
  context: WriteContext,
): Promise<Result<Import>> {
  const owners = new Map<string, Result<KeyOwner>>();
  const keys: NewKey[] = [];
  const problems: string[] = [];
  for (const [index, row] of rows.entries()) {
    const prepared = await prepare(accounts, row, { owners, context });
    if (prepared.kind === 'ok') keys.push(prepared.value);
    else problems.push(`${placeOf(rows, index)}: ${prepared.message}`);
  }
  if (problems.length > 0) return nothingImported(problems);
  const imported = await accounts.keys.importKeys(keys, context);
  switch (imported.kind) {
    case 'imported':
      return ok({ ids: keys.map((key) => key.id), at: imported.at });
    case 'too_many':
      return refusal(
        'invalid',
        `${rows.length} keys are too many at once: nothing was imported. Split them into files of ${imported.max}.`,
      );
    case 'rejected':
      return nothingImported(
        imported.problems.map(
          ({ index, problem }) => `${placeOf(rows, index)}: ${newKeyRefusal(problem).message}`,
        ),
      );
  }
}

function placeOf(rows: readonly ImportedKey[], index: number): string {
  return rows[index]?.place ?? `row ${index + 1}`;
}

/** More would bury the first. */
const PROBLEMS_SHOWN_MAX = 20;

export function nothingImported(problems: readonly string[]): Refusal {
  const more = problems.length - PROBLEMS_SHOWN_MAX;
  const shown = problems.slice(0, PROBLEMS_SHOWN_MAX);
  if (more > 0) shown.push(`and ${more} more`);
  return refusal('invalid', `Nothing was imported.\n${shown.join('\n')}`);
}

async function prepare(
  accounts: Accounts,
  row: ImportedKey,
  { owners, context }: { owners: Map<string, Result<KeyOwner>>; context: WriteContext },
): Promise<Result<NewKey>> {
  const problem =
    checkName(row.name, 'name of the key') ??
    checkScopes(row.scopes) ??
    checkCidrs(row.allowedCidrs) ??
    checkExpiry(row.expiresAtMs, accounts.clock().wallMs);
  if (problem !== undefined) return problem;
  const digest = digestOf(row.secret);
  if (digest.kind === 'refused') return digest;
  const ownerKey = JSON.stringify([row.organization, row.owner]);
  const owner = owners.get(ownerKey) ?? (await keyOwner(accounts, row, context.signal));
  owners.set(ownerKey, owner);
  if (owner.kind === 'refused') return owner;
  const { name, environment, scopes, plan, allowedCidrs, metadata, expiresAtMs } = row;
  return ok({
    id: randomBase62(KEY_ID_CHARS, accounts.randomBytes) as KeyId,
    ...{ name, ...owner.value, environment, scopes, plan, allowedCidrs, metadata, expiresAtMs },
    secret: {
      digest: accounts.digestForNew(Buffer.from(digest.value, 'base64url')),
      start: FOREIGN_START,
    },
  });
}

/** Messages never repeat the text. */
function digestOf(secret: ImportedKey['secret']): Result<Digest> {
  switch (secret.by) {
    case 'text':
      if (isKeyText(secret.text)) return ok(digestKey(secret.text));
      return refusal(
        'invalid',
        'The text of the key holds a character that no key may have. Printable ASCII without blanks, commas and quotes is allowed, at most 512 characters.',
      );
    case 'sha256':
      if (/^[0-9A-Fa-f]{64}$/.test(secret.hex)) {
        return ok(Buffer.from(secret.hex, 'hex').toString('base64url') as Digest);
      }
      return refusal('invalid', 'The sha256 must be 64 hexadecimal digits.');
  }
}
