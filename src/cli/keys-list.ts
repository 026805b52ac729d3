import { findKey } from '../accounts/keys/find-key.ts';
import { findOrganization } from '../accounts/organizations/find-organization.ts';
import type { KeyRecord } from '../accounts/ports.ts';
import { findUser } from '../accounts/users/find-user.ts';
import type { KeyId } from '../model/ids.ts';
import { keyFields, keyHistory, keyState } from './key-fields.ts';
import { listAll, tellList } from './list-all.ts';
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
    const organization =
      org === undefined ? undefined : await findOrganization(accounts, org, signal);
    if (organization?.kind === 'refused') return reply.refuse(organization);
    const user = owner === undefined ? undefined : await findUser(accounts, owner, signal);
    if (user?.kind === 'refused') return reply.refuse(user);
    const filter = { organizationId: organization?.value.id, ownerId: user?.value.id };
    const all = await listAll((page) => accounts.keys.list(filter, page, signal));
    const { wallMs } = accounts.clock();
    return tellList(reply, all, { head: HEAD, row: (record) => row(record, wallMs) });
  });
}

const HEAD = 'id,name,organization,environment,scopes,state,expires,last used'.split(',');

function row(record: KeyRecord, wallMs: number): string[] {
  return [
    record.id,
    record.name,
    record.organizationId,
    record.environment,
    record.scopes.join(' ') || '-',
    keyState(record, wallMs),
    timeText(record.expiresAtMs),
    timeText(record.lastUsedAtMs),
  ];
}

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
