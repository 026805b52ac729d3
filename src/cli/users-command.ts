import { type Command, Option } from 'commander';
import { findOrganization } from '../accounts/organizations/find-organization.ts';
import type { UserRecord } from '../accounts/ports.ts';
import { createUser } from '../accounts/users/create-user.ts';
import type { Role } from '../model/subject.ts';
import { listAll } from './list-all.ts';
import { fields, refuse, table, timeText } from './output.ts';
import { EXIT, type Finish, type Flags, type Runtime } from './ports.ts';
import { withStoreOptions } from './store-options.ts';
import { withAccounts } from './with-accounts.ts';

interface CreateFlags extends Flags {
  readonly org: string;
  readonly email?: string;
  readonly role: Role;
}

const ROLES = ['member', 'org_admin', 'super_admin'] as const satisfies readonly Role[];

export function addUsersCommand(program: Command, runtime: Runtime, finish: Finish): void {
  const users = program.command('users').description('users: who owns keys');
  withStoreOptions(users.command('create').description('create a user'))
    .argument('<name>', 'name, as shown to people')
    .requiredOption('--org <org>', 'id or name of the organization')
    .option('--email <address>', 'e-mail address, unique')
    .addOption(new Option('--role <role>', 'what the user may do').choices(ROLES).default('member'))
    .action(async (name: string, flags: CreateFlags) => finish(await create(runtime, name, flags)));
  withStoreOptions(users.command('list').description('list users'))
    .option('--org <org>', 'only of this organization')
    .action(async (flags: Flags) => finish(await list(runtime, flags)));
}

function create(runtime: Runtime, name: string, flags: CreateFlags): Promise<number> {
  return withAccounts(runtime, flags, async ({ accounts, actor }, signal) => {
    const wish = { organization: flags.org, name, email: flags.email ?? null, role: flags.role };
    const created = await createUser(accounts, wish, { actor, signal });
    if (created.kind === 'refused')
      return refuse(runtime.terminal, created, flags['json'] === true);
    if (flags['json'] === true) runtime.terminal.out(JSON.stringify(created.value));
    else for (const line of fields(shown(created.value))) runtime.terminal.out(line);
    return EXIT.ok;
  });
}

function list(runtime: Runtime, flags: Flags): Promise<number> {
  return withAccounts(runtime, flags, async ({ accounts }, signal) => {
    const { org, json } = flags;
    const organization =
      typeof org === 'string' ? await findOrganization(accounts, org, signal) : undefined;
    if (organization?.kind === 'refused') {
      return refuse(runtime.terminal, organization, json === true);
    }
    const filter = { organizationId: organization?.value.id };
    const all = await listAll((page) => accounts.users.list(filter, page, signal));
    if (json === true) {
      runtime.terminal.out(JSON.stringify(all));
      return EXIT.ok;
    }
    const head = ['id', 'name', 'email', 'role', 'organization', 'created', 'disabled'];
    const rows = all.map((record) => shown(record).map(([, value]) => value));
    for (const line of table(head, rows)) runtime.terminal.out(line);
    return EXIT.ok;
  });
}

function shown(record: UserRecord): (readonly [string, string])[] {
  return [
    ['id', record.id],
    ['name', record.name],
    ['email', record.email ?? '-'],
    ['role', record.role],
    ['organization', record.organizationId],
    ['created', timeText(record.createdAtMs)],
    ['disabled', timeText(record.disabledAtMs)],
  ];
}
