import { type Command, Option } from 'commander';
import { findOrganization } from '../accounts/organizations/find-organization.ts';
import type { UserRecord } from '../accounts/ports.ts';
import { createUser } from '../accounts/users/create-user.ts';
import { setUserDisabled } from '../accounts/users/set-user-disabled.ts';
import type { Role } from '../model/subject.ts';
import { listAll, tellList } from './list-all.ts';
import { fields, timeText } from './output.ts';
import type { Finish, Flags, Runtime } from './ports.ts';
import { withCommonOptions } from './store-options.ts';
import { addSwitchCommands, type Switchable } from './switch-commands.ts';
import { withAccounts } from './with-accounts.ts';

interface CreateFlags extends Flags {
  readonly org: string;
  readonly email?: string;
  readonly role: Role;
}

interface ListFlags extends Flags {
  readonly org?: string;
}

const ROLES = ['member', 'org_admin', 'super_admin'] as const satisfies readonly Role[];

export function addUsersCommand(program: Command, runtime: Runtime, finish: Finish): void {
  const users = program.command('users').description('users: who owns keys');
  withCommonOptions(
    users
      .command('create')
      .description('create a user, who may own keys of the same organization')
      .argument('<name>', 'name, as shown to people')
      .requiredOption('--org <org>', 'id or name of the organization')
      .option('--email <address>', 'e-mail address, unique')
      .addOption(
        new Option('--role <role>', 'bounds the scopes of the user’s keys, as the policy says')
          .choices(ROLES)
          .default('member'),
      ),
  ).action(async (name: string, flags: CreateFlags) => finish(await create(runtime, name, flags)));
  withCommonOptions(
    users
      .command('list')
      .description('list users')
      .option('--org <org>', 'only of this organization'),
  ).action(async (flags: ListFlags) => finish(await list(runtime, flags)));
  addSwitchCommands(users, SWITCHABLE, { runtime, finish });
}

const SWITCHABLE: Switchable<UserRecord> = {
  argument: ['<user>', 'id or e-mail address of the user'],
  effect: 'refuse every key of a user until the user is enabled again',
  nameOf: ({ name, id }) => `${name} (${id})`,
  setDisabled: (accounts, { which, disabled }, context) =>
    setUserDisabled(accounts, { idOrEmail: which, disabled }, context),
};

function create(runtime: Runtime, name: string, flags: CreateFlags): Promise<number> {
  return withAccounts(runtime, flags, async ({ accounts, actor, signal, reply }) => {
    const wish = { organization: flags.org, name, email: flags.email ?? null, role: flags.role };
    const created = await createUser(accounts, wish, { actor, signal });
    if (created.kind === 'refused') return reply.refuse(created);
    return reply.tell(created.value, fields(shown(created.value)));
  });
}

function list(runtime: Runtime, { org, ...flags }: ListFlags): Promise<number> {
  return withAccounts(runtime, flags, async ({ accounts, signal, reply }) => {
    const organization =
      org === undefined ? undefined : await findOrganization(accounts, org, signal);
    if (organization?.kind === 'refused') return reply.refuse(organization);
    const filter = { organizationId: organization?.value.id };
    const all = await listAll((page) => accounts.users.list(filter, page, signal));
    return tellList(reply, all, {
      head: ['id', 'name', 'email', 'role', 'organization', 'created', 'disabled'],
      row: (record) => shown(record).map(([, value]) => value),
    });
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
