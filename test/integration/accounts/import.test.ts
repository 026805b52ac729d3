import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type ImportedKey, importKeys } from '../../../src/accounts/keys/import-keys.ts';
import { createAccounts } from '../../../src/app/accounts.ts';
import { ApiKeySource } from '../../../src/authenticators/api-key.ts';
import { digestKey } from '../../../src/key-text/digest.ts';
import { KEY_IMPORT_MAX } from '../../../src/postgres/key-import.ts';
import { createKeyStore } from '../../../src/postgres/key-store.ts';
import { PepperKeyring } from '../../../src/secrets/pepper-keyring.ts';
import {
  type AccountsOnPostgres,
  context,
  granted,
  keyWish,
  refused,
  startAccounts,
} from './surroundings.ts';

let on: AccountsOnPostgres;

beforeAll(async () => {
  on = await startAccounts();
});

afterAll(() => on.postgres.close());

beforeEach(() =>
  on.postgres.sql(
    'TRUNCATE latchkey.audit_log, latchkey.api_key_secrets, latchkey.api_keys CASCADE',
  ),
);

const SECRET = 'TopSecret';

const byText = (name: string, changes: Partial<ImportedKey> = {}): ImportedKey => ({
  ...keyWish({ name }),
  secret: { by: 'text', text: `cpx_live.${SECRET}-${name}` },
  ...changes,
});

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

const byDigest = (name: string, hex = sha256(`cpx_live.${SECRET}-${name}`)): ImportedKey => ({
  ...keyWish({ name }),
  secret: { by: 'sha256', hex },
});

const load = (text: string, keyring: PepperKeyring) =>
  new ApiKeySource({ store: createKeyStore(on.postgres.database(), () => {}), keyring }).load(
    'api_key',
    digestKey(text),
    context.signal,
  );

describe('foreign keys', () => {
  it('work unchanged, imported by their text or by its SHA-256 in either case', async () => {
    const upper = sha256(`cpx_live.${SECRET}-c`).toUpperCase();
    const rows = [byText('a', { owner: 'dana@example.com' }), byDigest('b'), byDigest('c', upper)];
    const { ids } = granted(await importKeys(on.accounts, rows, context));
    const keyring = new PepperKeyring([]);
    for (const [index, name] of ['a', 'b', 'c'].entries()) {
      expect(await load(`cpx_live.${SECRET}-${name}`, keyring)).toMatchObject({
        kind: 'found',
        subject: { keyId: ids[index], name },
      });
    }
    expect(await on.audit()).toMatchObject([
      ...ids.map((id) => ({ actor: 'cli:test', verb: 'key.import', object_id: id })),
    ]);
    expect(await on.dump()).not.toContain(SECRET);
  });

  it('are peppered too, by text and by SHA-256', async () => {
    const keyring = new PepperKeyring([{ version: 3, key: Buffer.alloc(32, 3) }]);
    const accounts = createAccounts(on.postgres.database(), keyring);
    granted(await importKeys(accounts, [byText('a'), byDigest('b')], context));
    const rows = await on.postgres.sql(
      'SELECT pepper_version, encode(digest, $1) AS hex FROM latchkey.api_key_secrets',
      ['hex'],
    );
    expect(rows).toMatchObject([{ pepper_version: 3 }, { pepper_version: 3 }]);
    const plain = ['a', 'b'].map((name) => sha256(`cpx_live.${SECRET}-${name}`));
    for (const hex of plain) expect(JSON.stringify(rows)).not.toContain(hex);
    for (const name of ['a', 'b']) {
      expect(await load(`cpx_live.${SECRET}-${name}`, keyring)).toMatchObject({ kind: 'found' });
    }
  });
});

describe('one bad row keeps all out', () => {
  const bad: readonly (readonly [Partial<ImportedKey>, string])[] = [
    [{ name: '' }, 'name of the key must not be blank'],
    [{ name: 'a\0b' }, 'control character'],
    [{ scopes: ['a b'] }, 'is not a scope'],
    [{ allowedCidrs: ['192.0.2.1/24'] }, 'is not an address block'],
    [{ expiresAtMs: 1 }, 'lies in the past'],
    [{ organization: 'none' }, 'no organization "none"'],
    [{ owner: 'olga@example.com' }, 'no user "olga@example.com" in the organization "acme"'],
    [{ secret: { by: 'text', text: `${SECRET} with blanks` } }, 'no key may have'],
    [{ secret: { by: 'text', text: SECRET.repeat(100) } }, 'at most 512 characters'],
    [{ secret: { by: 'text', text: '' } }, 'no key may have'],
    [{ secret: { by: 'sha256', hex: SECRET } }, '64 hexadecimal digits'],
  ];

  it('every bad row is told by its place, and no message holds a text', async () => {
    const rows = [byText('good'), ...bad.map(([change], index) => byText(`k${index}`, change))];
    const refusal = refused(await importKeys(on.accounts, rows, context));
    expect(refusal.reason).toBe('invalid');
    const lines = refusal.message.split('\n');
    expect(lines).toHaveLength(bad.length + 1);
    expect(lines[0]).toBe('Nothing was imported.');
    for (const [index, [, problem]] of bad.entries()) {
      expect(lines[index + 1]).toMatch(new RegExp(`^row ${index + 2}: `));
      expect(lines[index + 1]).toContain(problem);
    }
    expect(refusal.message).not.toContain(SECRET);
    expect(await on.dump()).not.toContain('good');
  });

  it.each([
    ['the same key twice', [byText('a'), byText('b'), byDigest('a')], 3],
    ['a key that exists', [byText('a'), byDigest('old')], 2],
    ['a text that only the store refuses', [byText('a'), byText('b', { plan: 'x\0' })], 2],
  ])('%s', async (_, rows, place) => {
    granted(await importKeys(on.accounts, [byText('old')], context));
    const refusal = refused(await importKeys(on.accounts, rows, context));
    expect(refusal.message.split('\n')).toHaveLength(2);
    expect(refusal.message).toContain(`row ${place}: `);
    expect(refusal.message).not.toContain(SECRET);
    expect(await on.audit()).toHaveLength(1);
  });

  it('rows may have names of their own in messages', async () => {
    const row = byText('', { place: 'line 7' });
    expect(refused(await importKeys(on.accounts, [row], context)).message).toContain('line 7: ');
  });

  it('of many problems the first are told, and how many more there are', async () => {
    const rows = Array.from({ length: 25 }, () => byText(''));
    const lines = refused(await importKeys(on.accounts, rows, context)).message.split('\n');
    expect(lines).toHaveLength(22);
    expect(lines.at(-1)).toBe('and 5 more');
  });
});

it('more than the store takes at once is refused whole, with the number that is taken', async () => {
  const rows = Array.from({ length: KEY_IMPORT_MAX + 1 }, (_, index) => byText(`k${index}`));
  const refusal = refused(await importKeys(on.accounts, rows, context));
  expect(refusal).toMatchObject({
    reason: 'invalid',
    message: expect.stringContaining(`files of ${KEY_IMPORT_MAX}`),
  });
  expect(await on.audit()).toEqual([]);
});
