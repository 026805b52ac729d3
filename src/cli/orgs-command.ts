import type { Command } from 'commander';
import { createOrganization } from '../accounts/organizations/create-organization.ts';
import type { OrganizationRecord } from '../accounts/ports.ts';
import { listAll } from './list-all.ts';
import { fields, refuse, table, timeText } from './output.ts';
import { EXIT, type Finish, type Flags, type Runtime } from './ports.ts';
import { withStoreOptions } from './store-options.ts';
import { withAccounts } from './with-accounts.ts';

export function addOrgsCommand(program: Command, runtime: Runtime, finish: Finish): void {
  const orgs = program.command('orgs').description('organizations: whom users and keys belong to');
  withStoreOptions(orgs.command('create').description('create an organization'))
    .argument('<name>', 'unique name')
    .option('--plan <plan>', 'plan of its keys, unless a key has its own')
    .action(async (name: string, flags: Flags) => finish(await create(runtime, name, flags)));
  withStoreOptions(orgs.command('list').description('list organizations')).action(
    async (flags: Flags) => finish(await list(runtime, flags)),
  );
}

function create(runtime: Runtime, name: string, flags: Flags): Promise<number> {
  return withAccounts(runtime, flags, async ({ accounts, actor }, signal) => {
    const plan = typeof flags['plan'] === 'string' ? flags['plan'] : null;
    const created = await createOrganization(accounts, { name, plan }, { actor, signal });
    if (created.kind === 'refused')
      return refuse(runtime.terminal, created, flags['json'] === true);
    if (flags['json'] === true) runtime.terminal.out(JSON.stringify(created.value));
    else for (const line of fields(shown(created.value))) runtime.terminal.out(line);
    return EXIT.ok;
  });
}

function list(runtime: Runtime, flags: Flags): Promise<number> {
  return withAccounts(runtime, flags, async ({ accounts }, signal) => {
    const all = await listAll((page) => accounts.organizations.list(page, signal));
    if (flags['json'] === true) {
      runtime.terminal.out(JSON.stringify(all));
      return EXIT.ok;
    }
    const rows = all.map((record) => shown(record).map(([, value]) => value));
    for (const line of table(['id', 'name', 'plan', 'created', 'disabled'], rows)) {
      runtime.terminal.out(line);
    }
    return EXIT.ok;
  });
}

function shown(record: OrganizationRecord): (readonly [string, string])[] {
  return [
    ['id', record.id],
    ['name', record.name],
    ['plan', record.plan ?? '-'],
    ['created', timeText(record.createdAtMs)],
    ['disabled', timeText(record.disabledAtMs)],
  ];
}
