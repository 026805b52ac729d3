import { findKey } from '../accounts/keys/find-key.ts';
import { findOrganization } from '../accounts/organizations/find-organization.ts';
import type { KeyRecord } from '../accounts/ports.ts';
import { findUser } from '../accounts/users/find-user.ts';
import type { KeyId } from '../model/ids.ts';
import { keyFields, keyState } from './key-fields.ts';
import { listAll } from './list-all.ts';
import { fields, refuse, table, timeText } from './output.ts';
import { EXIT, type Flags, type Runtime } from './ports.ts';
import { withAccounts } from './with-accounts.ts';

export function listKeysCommand(runtime: Runtime, flags: Flags): Promise<number> {
  const json = flags['json'] === true;
  return withAccounts(runtime, flags, async ({ accounts }, signal) => {
    const { org, owner } = flags;
    const organization =
      typeof org === 'string' ? await findOrganization(accounts, org, signal) : undefined;
    if (organization?.kind === 'refused') return refuse(runtime.terminal, organization, json);
    const user = typeof owner === 'string' ? await findUser(accounts, owner, signal) : undefined;
    if (user?.kind === 'refused') return refuse(runtime.terminal, user, json);
    const filter = { organizationId: organization?.value.id, ownerId: user?.value.id };
    const all = await listAll((page) => accounts.keys.list(filter, page, signal));
    if (json) {
      runtime.terminal.out(JSON.stringify(all));
      return EXIT.ok;
    }
    const { wallMs } = accounts.clock();
    const head = [
      'id',
      'name',
      'organization',
      'environment',
      'scopes',
      'state',
      'expires',
      'last used',
    ];
    for (const line of table(
      head,
      all.map((record) => row(record, wallMs)),
    )) {
      runtime.terminal.out(line);
    }
    return EXIT.ok;
  });
}

export function showKeyCommand(runtime: Runtime, id: string, flags: Flags): Promise<number> {
  const json = flags['json'] === true;
  return withAccounts(runtime, flags, async ({ accounts }, signal) => {
    const found = await findKey(accounts, id as KeyId, signal);
    if (found.kind === 'refused') return refuse(runtime.terminal, found, json);
    if (json) runtime.terminal.out(JSON.stringify(found.value));
    else {
      const state = keyState(found.value, accounts.clock().wallMs);
      const secrets = found.value.secrets.map(
        (secret) =>
          [
            'secret',
            `${secret.start}…  created ${timeText(secret.createdAtMs)}  ends ${timeText(secret.expiresAtMs)}`,
          ] as const,
      );
      for (const line of fields([...keyFields(found.value), ['state', state], ...secrets])) {
        runtime.terminal.out(line);
      }
    }
    return EXIT.ok;
  });
}

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
