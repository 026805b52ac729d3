import type { Command } from 'commander';
import { createOrganization } from '../accounts/organizations/create-organization.ts';
import { setOrganizationDisabled } from '../accounts/organizations/set-organization-disabled.ts';
import type { OrganizationRecord } from '../accounts/ports.ts';
import type { Refusal } from '../accounts/result.ts';
import { listAll, tellList } from './list-all.ts';
import { createReply, fields, timeText } from './output.ts';
import { unknownPlan } from './policy-checks.ts';
import type { Finish, Flags, Runtime } from './ports.ts';
import { withCommonOptions, withPolicyOption } from './store-options.ts';
import { addSwitchCommands, type Switchable } from './switch-commands.ts';
import { withAccounts } from './with-accounts.ts';

interface CreateFlags extends Flags {
  readonly plan?: string;
}

export function addOrgsCommand(program: Command, runtime: Runtime, finish: Finish): void {
  const orgs = program.command('orgs').description('organizations: whom users and keys belong to');
  withCommonOptions(
    withPolicyOption(
      orgs
        .command('create')
        .description('create an organization')
        .argument('<name>', 'unique name')
        .option('--plan <plan>', 'plan of its keys, unless a key has its own'),
    ),
  ).action(async (name: string, flags: CreateFlags) => finish(await create(runtime, name, flags)));
  withCommonOptions(orgs.command('list').description('list organizations')).action(
    async (flags: Flags) => finish(await list(runtime, flags)),
  );
  addSwitchCommands(orgs, SWITCHABLE, { runtime, finish });
}

const SWITCHABLE: Switchable<OrganizationRecord> = {
  argument: ['<org>', 'id or name of the organization'],
  effect: 'refuse every key of an organization until it is enabled again',
  nameOf: ({ name, id }) => `${name} (${id})`,
  setDisabled: (accounts, { which, disabled }, context) =>
    setOrganizationDisabled(accounts, { idOrName: which, disabled }, context),
};

async function create(runtime: Runtime, name: string, flags: CreateFlags): Promise<number> {
  const { plan = null } = flags;
  const problem = plan === null ? undefined : await planProblem(runtime, plan, flags);
  if (problem !== undefined) return createReply(runtime.terminal, flags).refuse(problem);
  return withAccounts(runtime, flags, async ({ accounts, actor, signal, reply }) => {
    const created = await createOrganization(accounts, { name, plan }, { actor, signal });
    if (created.kind === 'refused') return reply.refuse(created);
    return reply.tell(created.value, fields(shown(created.value)));
  });
}

async function planProblem(
  runtime: Runtime,
  plan: string,
  flags: Flags,
): Promise<Refusal | undefined> {
  const policy = await runtime.readPolicy(flags);
  if (policy.kind === 'refused') return policy;
  if (policy.value !== undefined) return unknownPlan(plan, policy.value);
  runtime.terminal.err('No policy was named: whether it has this plan was not checked.');
  return undefined;
}

function list(runtime: Runtime, flags: Flags): Promise<number> {
  return withAccounts(runtime, flags, async ({ accounts, signal, reply }) => {
    const all = await listAll((page) => accounts.organizations.list(page, signal));
    return tellList(reply, all, {
      head: ['id', 'name', 'plan', 'created', 'disabled'],
      row: (record) => shown(record).map(([, value]) => value),
    });
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
