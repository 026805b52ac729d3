import type { Command } from 'commander';
import { createOrganization } from '../accounts/organizations/create-organization.ts';
import { setOrganizationDisabled } from '../accounts/organizations/set-organization-disabled.ts';
import type { OrganizationRecord } from '../accounts/ports.ts';
import type { Refusal } from '../accounts/result.ts';
import { withHelp } from './help-text.ts';
import { type Columns, recordLines, tellAll } from './list-all.ts';
import { createReply, timeText } from './output.ts';
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
  withHelp(
    withCommonOptions(
      withPolicyOption(
        orgs
          .command('create')
          .description('create an organization')
          .argument('<name>', 'unique name')
          .option('--plan <plan>', 'plan of its keys, unless a key has its own'),
      ),
    ),
    {
      notes: 'Where a policy is named, the plan has to be one of it.',
      examples: [
        'latchkey orgs create acme',
        'latchkey orgs create acme --plan trial --policy policy.yaml',
      ],
    },
  ).action(async (name: string, flags: CreateFlags) => finish(await create(runtime, name, flags)));
  withHelp(withCommonOptions(orgs.command('list').description('list organizations')), {
    examples: ['latchkey orgs list', 'latchkey orgs list --json'],
  }).action(async (flags: Flags) => finish(await list(runtime, flags)));
  addSwitchCommands(orgs, SWITCHABLE, { runtime, finish });
}

const SWITCHABLE: Switchable<OrganizationRecord> = {
  argument: ['<org>', 'id or name of the organization'],
  effect: 'refuse every key of an organization until it is enabled again',
  example: 'acme',
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
    return reply.tell(created.value, recordLines(created.value, COLUMNS));
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
  return withAccounts(runtime, flags, ({ accounts, signal, reply }) =>
    tellAll(reply, (page) => accounts.organizations.list(page, signal), {
      columns: COLUMNS,
      howToMake: 'latchkey orgs create',
    }),
  );
}

const COLUMNS: Columns<OrganizationRecord> = [
  ['id', ({ id }) => id],
  ['name', ({ name }) => name],
  ['plan', ({ plan }) => plan ?? '-'],
  ['created', ({ createdAtMs }) => timeText(createdAtMs)],
  ['disabled', ({ disabledAtMs }) => timeText(disabledAtMs)],
];
