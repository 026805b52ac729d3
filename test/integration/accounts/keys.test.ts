import { Buffer } from 'node:buffer';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createKey, type KeyWish } from '../../../src/accounts/keys/create-key.ts';
import { findKey } from '../../../src/accounts/keys/find-key.ts';
import { revokeKey } from '../../../src/accounts/keys/revoke-key.ts';
import { rotateKey } from '../../../src/accounts/keys/rotate-key.ts';
import { setKeyDisabled } from '../../../src/accounts/keys/set-key-disabled.ts';
import { createAccounts } from '../../../src/app/accounts.ts';
import { systemClock } from '../../../src/app/system.ts';
import { ApiKeySource } from '../../../src/authenticators/api-key.ts';
import { digestKey } from '../../../src/key-text/digest.ts';
import { DEFAULT_KEY_FORMAT as format } from '../../../src/key-text/key-format.ts';
import { readKeyText } from '../../../src/key-text/read.ts';
import { createKeyStore } from '../../../src/postgres/key-store.ts';
import { PepperKeyring } from '../../../src/secrets/pepper-keyring.ts';
import { keyId } from '../../support/accounts.ts';
import {
  type AccountsOnPostgres,
  context,
  granted,
  keyWish,
  refused,
  startAccounts,
} from './surroundings.ts';

const HOUR_MS = 3_600_000;

let on: AccountsOnPostgres;

beforeAll(async () => {
  on = await startAccounts();
});

afterAll(() => on.postgres.close());

beforeEach(() => on.postgres.sql('TRUNCATE latchkey.audit_log'));

const create = (changes: Partial<KeyWish> = {}) =>
  createKey(on.accounts, { wish: keyWish(changes), format }, context);

const rotate = (id: string, overlapMs: number) =>
  rotateKey(on.accounts, { wish: { id: keyId(id), overlapMs }, format }, context);

/** Looks a text up as a sidecar does. */
async function load(text: string, peppers: PepperKeyring = new PepperKeyring([])) {
  const store = createKeyStore(on.postgres.database(), () => {});
  const source = new ApiKeySource({ store, keyring: peppers });
  return source.load('api_key', digestKey(text), context.signal);
}

describe('a new key', () => {
  it('is found by its text, and the store holds no part of its secret', async () => {
    const expiresAtMs = systemClock().wallMs + HOUR_MS;
    const { record, text } = granted(
      await create({
        ...{ owner: 'Dana@example.com', scopes: ['read', 'write'], plan: 'big', expiresAtMs },
        ...{ allowedCidrs: ['192.0.2.0/24'], metadata: { team: 'a' }, environment: 'test' },
      }),
    );
    expect(readKeyText(text, format)).toEqual({ kind: 'ours', id: record.id, environment: 'test' });
    expect(record).toMatchObject({
      ...{ name: 'ci', environment: 'test', scopes: ['read', 'write'], plan: 'big', expiresAtMs },
      ...{ allowedCidrs: ['192.0.2.0/24'], metadata: { team: 'a' } },
      secrets: [{ start: `lk_test_${record.id}`, pepperVersion: 0, expiresAtMs: null }],
    });
    expect(await load(text)).toMatchObject({ kind: 'found', subject: { keyId: record.id } });
    expect(granted(await findKey(on.accounts, record.id, context.signal))).toEqual(record);
    expect(await on.audit()).toMatchObject([
      { actor: 'cli:test', verb: 'key.create', object_id: record.id },
    ]);
    const secret = text.slice(`lk_test_${record.id}`.length);
    expect(await on.dump()).not.toContain(secret.slice(0, 8));
  });

  it.each([
    [{ name: '\u2003' }, 'invalid', /name of the key must not be blank/],
    [{ name: 'a\0b' }, 'invalid', /control character/],
    [{ name: 'a\u009b31m' }, 'invalid', /control character/],
    [{ name: 'a\udc00' }, 'invalid', /name cannot be stored/],
    [{ scopes: ['a b'] }, 'invalid', /"a b" is not a scope/],
    [{ allowedCidrs: ['192.0.2.1/24'] }, 'invalid', /is not an address block/],
    [{ expiresAtMs: 1 }, 'invalid', /lies in the past/],
    [{ environment: 'prod' }, 'invalid', /no environment "prod".*live, test/],
    [{ plan: 'a\0' }, 'invalid', /plan cannot be stored: it contains the character NUL/],
    [
      { metadata: { 'a\0': 1 } },
      'invalid',
      /metadata cannot be stored: it contains the character NUL/,
    ],
    [{ metadata: { blob: 'x'.repeat(3_000_000) } }, 'invalid', /metadata cannot be stored/],
    [{ organization: 'none' }, 'not_found', /no organization "none".*orgs list/],
    [{ organization: 'a\0' }, 'not_found', /no organization/],
  ])('%j is refused (%s), and nothing is written', async (change, reason, message) => {
    const refusal = refused(await create(change));
    expect(refusal).toMatchObject({ reason, message: expect.stringMatching(message) });
    expect(await on.audit()).toEqual([]);
  });

  it('an owner of another organization is answered as one that does not exist', async () => {
    const message = (owner: string) =>
      `There is no user "${owner}" in the organization "acme". \`latchkey users list --org …\` shows those that exist.`;
    const olga = await on.accounts.users.find('olga@example.com', context.signal);
    for (const owner of ['olga@example.com', olga?.id ?? '', 'none@example.com', 'usr_none']) {
      const refusal = refused(await create({ owner }));
      expect(refusal).toMatchObject({ reason: 'not_found', message: message(owner) });
    }
    expect(await on.audit()).toEqual([]);
  });

  it('an id that is taken is drawn again, and a source of randomness that has stopped is told', async () => {
    const stuck = { ...on.accounts, randomBytes: (bytes: number) => new Uint8Array(bytes) };
    const wish = keyWish();
    granted(await createKey(stuck, { wish, format }, context));
    expect(refused(await createKey(stuck, { wish, format }, context))).toMatchObject({
      reason: 'conflict',
      message: expect.stringContaining('source of randomness'),
    });
    let draw = 0;
    const recovering = {
      ...on.accounts,
      randomBytes(bytes: number) {
        const drawn = new Uint8Array(bytes).fill(draw);
        draw += 1;
        return drawn;
      },
    };
    expect(granted(await createKey(recovering, { wish, format }, context)).record.id).not.toBe(
      '0000000000',
    );
  });
});

describe('rotation', () => {
  it('keeps the id; the old secret works until its end, and no third one comes beside the two', async () => {
    const first = granted(await create());
    const before = systemClock().wallMs;
    const second = granted(await rotate(first.record.id, HOUR_MS));
    expect(second.record.id).toBe(first.record.id);
    expect(readKeyText(second.text, format)).toMatchObject({ kind: 'ours', id: first.record.id });
    const [old, fresh] = second.record.secrets;
    expect(old?.expiresAtMs).toBeGreaterThanOrEqual(before + HOUR_MS);
    expect(fresh?.expiresAtMs).toBeNull();
    expect(await load(first.text)).toMatchObject({
      kind: 'found',
      secretExpiresAtMs: old?.expiresAtMs,
    });
    expect(await load(second.text)).toMatchObject({ kind: 'found', secretExpiresAtMs: null });

    const refusal = refused(await rotate(first.record.id, HOUR_MS));
    expect(refusal).toMatchObject({
      reason: 'conflict',
      message: expect.stringContaining(new Date(old?.expiresAtMs ?? 0).toISOString()),
    });

    const third = granted(await rotate(first.record.id, 0));
    const live = third.record.secrets.filter(({ expiresAtMs }) => expiresAtMs === null);
    expect(live).toHaveLength(1);
    for (const text of [first.text, second.text]) {
      const loaded = await load(text);
      expect(loaded.kind === 'found' && loaded.secretExpiresAtMs).toBeLessThanOrEqual(
        systemClock().wallMs + 1,
      );
    }
    expect((await on.audit()).map(({ verb }) => verb)).toEqual([
      ...['key.create', 'key.rotate', 'key.rotate'],
    ]);
    const dump = await on.dump();
    for (const { text } of [first, second, third]) expect(dump).not.toContain(text.slice(-20));
  });

  it('is refused for a key that is revoked, absent, or of an environment that the policy no longer has', async () => {
    const { record } = granted(await create());
    const narrow = { ...format, environments: ['test'] };
    const wish = { id: record.id, overlapMs: 0 };
    expect(refused(await rotateKey(on.accounts, { wish, format: narrow }, context))).toMatchObject({
      reason: 'invalid',
      message: expect.stringContaining('the policy no longer has'),
    });
    granted(await revokeKey(on.accounts, record.id, context));
    expect(refused(await rotate(record.id, HOUR_MS))).toMatchObject({ reason: 'conflict' });
    expect(refused(await rotate('none', 0))).toMatchObject({ reason: 'not_found' });
    expect(refused(await rotate('a\0', 0))).toMatchObject({ reason: 'not_found' });
  });
});

describe('revocation', () => {
  it('is for good, counts once, and says each time what to wait for', async () => {
    const { record, text } = granted(await create());
    const first = granted(await revokeKey(on.accounts, record.id, context));
    expect(first).toMatchObject({ changed: true, record: { revokedAtMs: expect.any(Number) } });
    const again = granted(await revokeKey(on.accounts, record.id, context));
    expect(again).toMatchObject({ changed: false, at: first.at });
    expect(again.record.revokedAtMs).toBe(first.record.revokedAtMs);
    expect(await load(text)).toMatchObject({ subject: { revokedAtMs: first.record.revokedAtMs } });
    for (const disabled of [true, false]) {
      const switched = await setKeyDisabled(on.accounts, { id: record.id, disabled }, context);
      expect(refused(switched)).toMatchObject({ reason: 'conflict' });
    }
    expect(refused(await revokeKey(on.accounts, keyId('none'), context))).toMatchObject({
      reason: 'not_found',
      message: expect.stringContaining('keys list'),
    });
    expect((await on.audit()).map(({ verb }) => verb)).toEqual(['key.create', 'key.revoke']);
  });
});

it('a key is disabled and enabled, once each', async () => {
  const { record } = granted(await create());
  const switchTo = (disabled: boolean, id = record.id) =>
    setKeyDisabled(on.accounts, { id, disabled }, context);
  expect(granted(await switchTo(true))).toMatchObject({ changed: true });
  expect(granted(await switchTo(true))).toMatchObject({ changed: false });
  expect(granted(await switchTo(false))).toMatchObject({
    changed: true,
    record: { disabledAtMs: null },
  });
  expect(refused(await switchTo(true, keyId('none')))).toMatchObject({ reason: 'not_found' });
  expect((await on.audit()).map(({ verb }) => verb)).toEqual([
    ...['key.create', 'key.disable', 'key.enable'],
  ]);
});

describe('peppers', () => {
  const pepper = (version: number) => ({ version, key: Buffer.alloc(32, version) });
  const keyrings = [[], [pepper(1)], [pepper(2), pepper(1)]].map((each) => new PepperKeyring(each));

  it('a key works that was made before there was a pepper, under the first, and under the second', async () => {
    const texts: string[] = [];
    for (const [version, keyring] of keyrings.entries()) {
      const accounts = createAccounts(on.postgres.database(), keyring);
      const made = granted(await createKey(accounts, { wish: keyWish(), format }, context));
      expect(made.record.secrets).toMatchObject([{ pepperVersion: version }]);
      const rotation = { wish: { id: made.record.id, overlapMs: HOUR_MS }, format };
      const rotated = granted(await rotateKey(accounts, rotation, context));
      expect(rotated.record.secrets).toMatchObject([
        { pepperVersion: version },
        { pepperVersion: version },
      ]);
      texts.push(made.text, rotated.text);
    }
    for (const text of texts) {
      expect(await load(text, keyrings[2])).toMatchObject({ kind: 'found' });
    }
    // Without its pepper a digest says nothing.
    expect(await load(texts[4] ?? '', keyrings[1])).toMatchObject({ kind: 'absent' });
    expect(await load(texts[2] ?? '', keyrings[0])).toMatchObject({ kind: 'absent' });
  });
});
