import type { Command } from 'commander';
import { type CreateFlags, createKeyCommand } from './keys-create.ts';
import { type ImportFlags, importKeysCommand } from './keys-import.ts';
import { listKeysCommand, showKeyCommand } from './keys-list.ts';
import { type RevokeFlags, revokeKeyCommand } from './keys-revoke.ts';
import { type RotateFlags, rotateKeyCommand } from './keys-rotate.ts';
import type { Finish, Flags, Runtime } from './ports.ts';
import { withPolicyOption, withStoreOptions } from './store-options.ts';

const collect = (value: string, before: readonly string[]): readonly string[] => [...before, value];
const NONE: readonly string[] = [];

/** `keys …`: one line per verb here, a file per verb beside. */
export function addKeysCommand(program: Command, runtime: Runtime, finish: Finish): void {
  const keys = program.command('keys').description('API keys');
  addCreate(keys, runtime, finish);
  withStoreOptions(keys.command('list').description('list keys; never their secrets'))
    .option('--org <org>', 'only of this organization')
    .option('--owner <user>', 'only of this user')
    .action(async (flags: Flags) => finish(await listKeysCommand(runtime, flags)));
  withStoreOptions(keys.command('show').description('show one key'))
    .argument('<id>', 'id of the key')
    .action(async (id: string, flags: Flags) => finish(await showKeyCommand(runtime, id, flags)));
  withPolicyOption(
    withStoreOptions(keys.command('rotate').description('give a key a new secret; its id stays')),
  )
    .argument('<id>', 'id of the key')
    .option(
      '--overlap <time>',
      'how long the old secret goes on working (90s, 30m, 24h, 7d, or 0)',
      '24h',
    )
    .action(async (id: string, flags: RotateFlags) =>
      finish(await rotateKeyCommand(runtime, id, flags)),
    );
  withStoreOptions(keys.command('revoke').description('end a key for good'))
    .argument('<id>', 'id of the key')
    .option('--wait', 'return when every replica has confirmed, and say how long it took')
    .option('--timeout <time>', 'with --wait: give up after this time', '30s')
    .action(async (id: string, flags: RevokeFlags) =>
      finish(await revokeKeyCommand(runtime, id, flags)),
    );
  withStoreOptions(
    keys.command('import').description('take over keys of another system, unchanged'),
  )
    .argument('<file>', 'JSON lines, or - for standard input')
    .addHelpText('after', IMPORT_HELP)
    .action(async (file: string, flags: ImportFlags) =>
      finish(await importKeysCommand(runtime, file, flags)),
    );
}

function addCreate(keys: Command, runtime: Runtime, finish: Finish): void {
  withPolicyOption(
    withStoreOptions(keys.command('create').description('create a key and show its text, once')),
  )
    .requiredOption('--org <org>', 'id or name of the organization')
    .requiredOption('--name <name>', 'what the key is for')
    .option('--owner <user>', 'id or e-mail address of the user whose role bounds it')
    .option('--scope <scope>', 'a scope; repeat for more', collect, NONE)
    .option('--environment <name>', 'environment of the key', 'live')
    .option('--plan <plan>', 'plan of its own')
    .option('--expires <when>', 'a time span (90d) or an ISO 8601 time')
    .option(
      '--cidr <block>',
      'address block that it may be used from; repeat for more',
      collect,
      NONE,
    )
    .action(async (flags: CreateFlags) => finish(await createKeyCommand(runtime, flags)));
}

const IMPORT_HELP = `
Each line is one key:
  {"org": "acme", "name": "ci", "text": "the key itself", "scopes": ["read"]}
  {"org": "acme", "name": "ci", "sha256": "64 hexadecimal digits", "scopes": ["read"]}
Further fields: owner, environment (live), plan, cidrs, expires (ISO 8601), metadata.
All lines are imported or none. The policy must accept such texts: key_format.also_accept or accept_foreign.`;
