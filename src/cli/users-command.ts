import { type Command, Option } from 'commander';
import { findOrganization } from '../accounts/organizations/find-organization.ts';
import type { UserRecord } from '../accounts/ports.ts';
import { createUser } from '../accounts/users/create-user.ts';
import { setUserDisabled } from '../accounts/users/set-user-disabled.ts';
import type { Role } from '../model/subject.ts';
import { withHelp } from './help-text.ts';
import { type Columns, filterBy, recordLines, tellAll } from './list-all.ts';
import { timeText } from './output.ts';
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
  withHelp(
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
    ),
    { examples: ['latchkey users create Dana --org acme --email dana@example.com --role member'] },
  ).action(async (name: string, flags: CreateFlags) => finish(await create(runtime, name, flags)));
  withHelp(
    withCommonOptions(
      users
        .command('list')
        .description('list users')
        .option('--org <org>', 'only of this organization (its id or name)'),
    ),
    { examples: ['latchkey users list --org acme'] },
  ).action(async (flags: ListFlags) => finish(await list(runtime, flags)));
  addSwitchCommands(users, SWITCHABLE, { runtime, finish });
}

const SWITCHABLE: Switchable<UserRecord> = {
  argument: ['<user>', 'id or e-mail address of the user'],
  effect: 'refuse every key of a user until the user is enabled again',
  example: 'dana@example.com',
  nameOf: ({ name, id }) => `${name} (${id})`,
  setDisabled: (accounts, { which, disabled }, context) =>
    setUserDisabled(accounts, { idOrEmail: which, disabled }, context),
};

function create(runtime: Runtime, name: string, flags: CreateFlags): Promise<number> {
  return withAccounts(runtime, flags, async ({ accounts, actor, signal, reply }) => {
    const wish = { organization: flags.org, name, email: flags.email ?? null, role: flags.role };
    const created = await createUser(accounts, wish, { actor, signal });
    if (created.kind === 'refused') return reply.refuse(created);
    return reply.tell(created.value, recordLines(created.value, COLUMNS));
  });
}

function list(runtime: Runtime, { org, ...flags }: ListFlags): Promise<number> {
  return withAccounts(runtime, flags, async ({ accounts, signal, reply }) => {
    const organization = await filterBy(org, (text) => findOrganization(accounts, text, signal));
    if (organization.kind === 'refused') return reply.refuse(organization);
    const filter = { organizationId: organization.value?.id };
    return tellAll(reply, (page) => accounts.users.list(filter, page, signal), {
      columns: COLUMNS,
      howToMake: 'latchkey users create',
    });
  });
}

const COLUMNS: Columns<UserRecord> = [
  ['id', ({ id }) => id],
  ['name', ({ name }) => name],
  ['email', ({ email }) => email ?? '-'],
  ['role', ({ role }) => role],
  ['organization', ({ organizationId }) => organizationId],
  ['created', ({ createdAtMs }) => timeText(createdAtMs)],
  ['disabled', ({ disabledAtMs }) => timeText(disabledAtMs)],
];
