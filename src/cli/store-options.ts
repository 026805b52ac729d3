import type { Command } from 'commander';

const STORE = 'The database:';

/** How a command finds the store; the same words as `serve` has. Added last, so that what is special comes first. */
export function withStoreOptions(command: Command): Command {
  return command
    .optionsGroup(STORE)
    .option(
      '--database-url-file <file>',
      'file with the database URL (or set LATCHKEY_DATABASE_URL)',
    )
    .option(
      '--embedded [dir]',
      'a Postgres of its own, for trying out, with its data in this folder (.latchkey/postgres)',
    );
}

export function withPolicyOption(command: Command): Command {
  return command.option('--policy <file>', 'policy file (or set LATCHKEY_POLICY)');
}

export function withJsonOption(command: Command): Command {
  return command.option('--json', 'print one JSON document');
}

/** What most commands have. */
export function withCommonOptions(command: Command): Command {
  return withStoreOptions(withJsonOption(command));
}

/** For an option that may be given several times; each value is one more. */
export function collect(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}
