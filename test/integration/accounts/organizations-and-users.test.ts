import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createOrganization } from '../../../src/accounts/organizations/create-organization.ts';
import { setOrganizationDisabled } from '../../../src/accounts/organizations/set-organization-disabled.ts';
import { createUser, type UserWish } from '../../../src/accounts/users/create-user.ts';
import { setUserDisabled } from '../../../src/accounts/users/set-user-disabled.ts';
import {
  type AccountsOnPostgres,
  context,
  granted,
  refused,
  startAccounts,
} from './surroundings.ts';

let on: AccountsOnPostgres;

beforeAll(async () => {
  on = await startAccounts();
});

afterAll(() => on.postgres.close());

beforeEach(() => on.postgres.sql('TRUNCATE latchkey.audit_log'));

const userWish = (changes: Partial<UserWish> = {}): UserWish => ({
  ...{ organization: 'acme', name: 'Fay', email: null, role: 'member' },
  ...changes,
});

describe('organizations', () => {
  it('are created with an id of their own, and the audit log says by whom', async () => {
    const wish = { name: 'Zoë & Söhne', plan: 'big' };
    const record = granted(await createOrganization(on.accounts, wish, context));
    expect(record).toEqual({
      ...wish,
      id: expect.stringMatching(/^org_[0-9A-Za-z]{16}$/),
      createdAtMs: expect.any(Number),
      disabledAtMs: null,
    });
    expect(Number.isInteger(record.createdAtMs)).toBe(true);
    expect(await on.audit()).toEqual([
      {
        ...{ actor: 'cli:test', verb: 'organization.create', details: wish },
        ...{ object_id: record.id, organization_id: record.id },
      },
    ]);
  });

  it.each([
    [{ name: ' ', plan: null }, 'invalid', /must not be blank/],
    [{ name: 'a\u001b[31mb', plan: null }, 'invalid', /control character/],
    [{ name: 'a\0b', plan: null }, 'invalid', /control character/],
    [{ name: 'a\ud800', plan: null }, 'invalid', /name cannot be stored: it is not well-formed/],
    [{ name: 'org_0123456789abcdef', plan: null }, 'invalid', /has the form of an id/],
    [{ name: 'new', plan: '' }, 'invalid', /plan cannot be stored/],
    [
      { name: 'new', plan: 'a\0' },
      'invalid',
      /plan cannot be stored: it contains the character NUL/,
    ],
    [{ name: 'acme', plan: null }, 'conflict', /named "acme" already/],
  ])('%j are refused (%s), and nothing is written', async (wish, reason, message) => {
    const refusal = refused(await createOrganization(on.accounts, wish, context));
    expect(refusal).toMatchObject({ reason, message: expect.stringMatching(message) });
    expect(await on.audit()).toEqual([]);
  });

  it('are disabled and enabled by id or name, once each', async () => {
    const switchTo = (idOrName: string, disabled: boolean) =>
      setOrganizationDisabled(on.accounts, { idOrName, disabled }, context);
    const off = granted(await switchTo('other', true));
    expect(off).toMatchObject({ changed: true, record: { disabledAtMs: expect.any(Number) } });
    expect(granted(await switchTo(off.record.id, true))).toMatchObject({ changed: false });
    const on_ = granted(await switchTo(off.record.id, false));
    expect(on_).toMatchObject({ changed: true, record: { disabledAtMs: null } });
    expect(on_.at.version).toBeGreaterThan(off.at.version);
    expect(refused(await switchTo('none', true))).toMatchObject({ reason: 'not_found' });
    expect((await on.audit()).map(({ verb }) => verb)).toEqual([
      'organization.disable',
      'organization.enable',
    ]);
  });
});

describe('users', () => {
  it('are created in an organization by its name or id, and the audit log says by whom', async () => {
    const acme = await on.accounts.organizations.find('acme', context.signal);
    for (const organization of ['acme', acme?.id ?? '']) {
      const wish = userWish({ organization, email: `${organization}@example.com` });
      const record = granted(await createUser(on.accounts, wish, context));
      expect(record).toEqual({
        ...{ name: 'Fay', email: wish.email, role: 'member', organizationId: acme?.id },
        ...{ createdAtMs: expect.any(Number), disabledAtMs: null },
        id: expect.stringMatching(/^usr_[0-9A-Za-z]{16}$/),
      });
    }
    expect(await on.audit()).toMatchObject([
      { actor: 'cli:test', verb: 'user.create', organization_id: acme?.id },
      { verb: 'user.create', details: { name: 'Fay', role: 'member' } },
    ]);
  });

  it.each([
    [{ name: '' }, 'invalid', /name of the user must not be blank/],
    [{ name: 'a\u0007b' }, 'invalid', /control character/],
    [{ email: 'dana' }, 'invalid', /"dana" is not an e-mail address/],
    [{ email: 'a\0@b' }, 'invalid', /is not an e-mail address/],
    [{ email: 'dana@example.com' }, 'conflict', /already/],
    [{ email: 'DANA@Example.com' }, 'conflict', /already/],
    [{ organization: 'none' }, 'not_found', /no organization "none".*orgs list/],
    [{ organization: 'a\0' }, 'not_found', /no organization/],
  ])('%j are refused (%s), and nothing is written', async (change, reason, message) => {
    const refusal = refused(await createUser(on.accounts, userWish(change), context));
    expect(refusal).toMatchObject({ reason, message: expect.stringMatching(message) });
    expect(await on.audit()).toEqual([]);
  });

  it('are disabled and enabled by id or by e-mail address in any case, once each', async () => {
    const switchTo = (idOrEmail: string, disabled: boolean) =>
      setUserDisabled(on.accounts, { idOrEmail, disabled }, context);
    const off = granted(await switchTo('ED@example.com', true));
    expect(off).toMatchObject({ changed: true, record: { name: 'ed' } });
    expect(granted(await switchTo(off.record.id, true))).toMatchObject({ changed: false });
    expect(granted(await switchTo(off.record.id, false))).toMatchObject({
      changed: true,
      record: { disabledAtMs: null },
    });
    expect(refused(await switchTo('none', false))).toMatchObject({ reason: 'not_found' });
    expect((await on.audit()).map(({ verb }) => verb)).toEqual(['user.disable', 'user.enable']);
  });
});
