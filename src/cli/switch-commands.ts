import type { Command } from 'commander';
import type { Accounts } from '../accounts/accounts.ts';
import type { WriteContext } from '../accounts/ports.ts';
import type { Result } from '../accounts/result.ts';
import type { Switched } from '../accounts/switched.ts';
import { tellChange } from './change.ts';
import { withHelp } from './help-text.ts';
import { createReply } from './output.ts';
import type { Finish, Flags, Runtime } from './ports.ts';
import { type WaitFlags, waitTimeoutMs, withWaitOptions } from './replica-wait.ts';
import { withCommonOptions } from './store-options.ts';
import { withAccounts } from './with-accounts.ts';

/** Something that can be switched off for a while. */
export interface Switchable<Item> {
  /** The command's argument, and what it says of it. */
  readonly argument: readonly [name: string, description: string];
  /** What switching it off does, for the help. */
  readonly effect: string;
  /** How one is named at a terminal, for the examples. */
  readonly example: string;
  nameOf(record: Item): string;
  setDisabled(
    accounts: Accounts,
    wish: { readonly which: string; readonly disabled: boolean },
    context: WriteContext,
  ): Promise<Result<Switched<Item>>>;
}

/** `… disable` and `… enable`. */
export function addSwitchCommands<Item extends object>(
  parent: Command,
  switchable: Switchable<Item>,
  { runtime, finish }: { readonly runtime: Runtime; readonly finish: Finish },
): void {
  const [argument, description] = switchable.argument;
  const example = (verb: string): string =>
    `latchkey ${parent.name()} ${verb} ${switchable.example}`;
  withHelp(
    withCommonOptions(
      withWaitOptions(
        parent.command('disable').description(switchable.effect).argument(argument, description),
      ),
    ),
    { examples: [`${example('disable')} --wait`] },
  ).action(async (which: string, flags: WaitFlags) =>
    finish(await disable(runtime, { switchable, which }, flags)),
  );
  withHelp(
    withCommonOptions(
      parent.command('enable').description('undo `disable`').argument(argument, description),
    ),
    { examples: [example('enable')] },
  ).action(async (which: string, flags: Flags) =>
    finish(await enable(runtime, { switchable, which }, flags)),
  );
}

interface Chosen<Item> {
  readonly switchable: Switchable<Item>;
  readonly which: string;
}

async function disable<Item extends object>(
  runtime: Runtime,
  { switchable, which }: Chosen<Item>,
  flags: WaitFlags,
): Promise<number> {
  const timeoutMs = waitTimeoutMs(flags);
  if (typeof timeoutMs === 'object') return createReply(runtime.terminal, flags).refuse(timeoutMs);
  return withAccounts(runtime, flags, async (command) => {
    const { accounts, actor, signal, reply } = command;
    const wish = { which, disabled: true };
    const switched = await switchable.setDisabled(accounts, wish, { actor, signal });
    if (switched.kind === 'refused') return reply.refuse(switched);
    const { record, changed } = switched.value;
    const name = switchable.nameOf(record);
    const line = changed ? `Disabled ${name}.` : `${name} was disabled before.`;
    return tellChange(command, { ...switched.value, line }, flags.wait === true && timeoutMs);
  });
}

function enable<Item extends object>(
  runtime: Runtime,
  { switchable, which }: Chosen<Item>,
  flags: Flags,
): Promise<number> {
  return withAccounts(runtime, flags, async (command) => {
    const { accounts, actor, signal, reply } = command;
    const wish = { which, disabled: false };
    const switched = await switchable.setDisabled(accounts, wish, { actor, signal });
    if (switched.kind === 'refused') return reply.refuse(switched);
    const { record, changed } = switched.value;
    const name = switchable.nameOf(record);
    const line = changed ? `Enabled ${name}.` : `${name} was not disabled.`;
    return tellChange(command, { ...switched.value, line }, false);
  });
}
