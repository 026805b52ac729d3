import type { Command } from 'commander';

/** How a command finds the store; the same words as `serve` has. */
export function withStoreOptions(command: Command): Command {
  return command
    .option(
      '--database-url-file <file>',
      'file with the database URL (or set LATCHKEY_DATABASE_URL)',
    )
    .option('--embedded [dir]', 'use the embedded Postgres whose data is in this folder')
    .option('--json', 'print JSON');
}

export function withPolicyOption(command: Command): Command {
  return command.option('--policy <file>', 'policy file (or set LATCHKEY_POLICY)');
}
