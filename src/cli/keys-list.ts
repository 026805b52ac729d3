import { findKey } from '../accounts/keys/find-key.ts';
import { findOrganization } from '../accounts/organizations/find-organization.ts';
import type { KeyRecord } from '../accounts/ports.ts';
import { findUser } from '../accounts/users/find-user.ts';
import type { KeyId } from '../model/ids.ts';
import { keyFields, keyHistory, keyState } from './key-fields.ts';
import { type Columns, filterBy, tellAll } from './list-all.ts';
import { fields, timeText } from './output.ts';
import type { Flags, Runtime } from './ports.ts';
import { withAccounts } from './with-accounts.ts';

export interface ListFlags extends Flags {
  readonly org?: string;
  readonly owner?: string;
}

export function listKeysCommand(runtime: Runtime, flags: ListFlags): Promise<number> {
  const { org, owner } = flags;
  return withAccounts(runtime, flags, async ({ accounts, signal, reply }) => {
    const organization = await filterBy(org, (text) => findOrganization(accounts, text, signal));
    if (organization.kind === 'refused') return reply.refuse(organization);
    const user = await filterBy(owner, (text) => findUser(accounts, text, signal));
    if (user.kind === 'refused') return reply.refuse(user);
    const filter = { organizationId: organization.value?.id, ownerId: user.value?.id };
    return tellAll(reply, (page) => accounts.keys.list(filter, page, signal), {
      columns: columnsAt(accounts.clock().wallMs),
      howToMake: 'latchkey keys create',
    });
  });
}

const columnsAt = (wallMs: number): Columns<KeyRecord> => [
  ['id', ({ id }) => id],
  ['name', ({ name }) => name],
  ['organization', ({ organizationId }) => organizationId],
  ['environment', ({ environment }) => environment],
  ['scopes', ({ scopes }) => scopes.join(' ') || '-'],
  ['state', (record) => keyState(record, wallMs)],
  ['expires', ({ expiresAtMs }) => timeText(expiresAtMs)],
  ['last used', ({ lastUsedAtMs }) => timeText(lastUsedAtMs)],
];

export function showKeyCommand(runtime: Runtime, id: string, flags: Flags): Promise<number> {
  return withAccounts(runtime, flags, async ({ accounts, signal, reply }) => {
    const found = await findKey(accounts, id as KeyId, signal);
    if (found.kind === 'refused') return reply.refuse(found);
    const state = keyState(found.value, accounts.clock().wallMs);
    const shown = [
      ['state', state] as const,
      ...keyFields(found.value),
      ...keyHistory(found.value),
    ];
    return reply.tell(found.value, fields(shown));
  });
}
