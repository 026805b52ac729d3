import type { Command } from 'commander';
import { setKeyDisabled } from '../accounts/keys/set-key-disabled.ts';
import type { KeyRecord } from '../accounts/ports.ts';
import type { KeyId } from '../model/ids.ts';
import { type HelpText, withHelp } from './help-text.ts';
import { type CreateFlags, createKeyCommand } from './keys-create.ts';
import { importKeysCommand } from './keys-import.ts';
import { type ListFlags, listKeysCommand, showKeyCommand } from './keys-list.ts';
import { revokeKeyCommand } from './keys-revoke.ts';
import { type RotateFlags, rotateKeyCommand } from './keys-rotate.ts';
import type { Finish, Flags, Runtime } from './ports.ts';
import { type WaitFlags, withWaitOptions } from './replica-wait.ts';
import { collect, withCommonOptions, withPolicyOption } from './store-options.ts';
import { addSwitchCommands, type Switchable } from './switch-commands.ts';

const KEY_ID = ['<id>', 'id of the key, as lists and logs show it'] as const;
const EXAMPLE_ID = '4fJ2kQ9xZb';

/** `keys …`: the options of each verb here, a file per verb beside. */
export function addKeysCommand(program: Command, runtime: Runtime, finish: Finish): void {
  const keys = program.command('keys').description('API keys');
  addCreate(keys, runtime, finish);
  addReadingCommands(keys, runtime, finish);
  addEndings(keys, runtime, finish);
  addSwitchCommands(keys, SWITCHABLE, { runtime, finish });
  withHelp(
    withCommonOptions(
      withPolicyOption(
        keys
          .command('import')
          .description('take over keys of another system: they work unchanged')
          .argument('<file>', 'JSON lines, or - for standard input'),
      ),
    ),
    IMPORT_HELP,
  ).action(async (file: string, flags: Flags) =>
    finish(await importKeysCommand(runtime, file, flags)),
  );
}

const SWITCHABLE: Switchable<KeyRecord> = {
  argument: KEY_ID,
  effect: 'refuse a key until it is enabled again',
  example: EXAMPLE_ID,
  nameOf: ({ id }) => id,
  setDisabled: (accounts, { which, disabled }, context) =>
    setKeyDisabled(accounts, { id: which as KeyId, disabled }, context),
};

function addCreate(keys: Command, runtime: Runtime, finish: Finish): void {
  withHelp(
    withCommonOptions(
      withPolicyOption(
        keys
          .command('create')
          .description('create a key and show its text, once')
          .requiredOption('--org <org>', 'id or name of the organization')
          .requiredOption('--name <name>', 'what the key is for')
          .option('--owner <user>', 'id or e-mail address of the user whose role bounds it')
          .option('--scope <scope>', 'a scope; repeat for more', collect)
          .option('--environment <name>', 'environment of the key', 'live')
          .option('--plan <plan>', 'plan of its own, instead of the organization’s')
          .option(
            '--expires <when>',
            'a time span (90d), a date or an ISO 8601 time with its offset',
          )
          .option(
            '--cidr <block>',
            'address block that it may be used from; repeat for more',
            collect,
          ),
      ),
    ),
    CREATE_HELP,
  ).action(async (flags: CreateFlags & Flags) =>
    finish(await createKeyCommand(runtime, flags, flags)),
  );
}

function addReadingCommands(keys: Command, runtime: Runtime, finish: Finish): void {
  withHelp(
    withCommonOptions(
      keys
        .command('list')
        .description('list keys; never their secrets')
        .option('--org <org>', 'only of this organization (its id or name)')
        .option('--owner <user>', 'only of this user (id or e-mail address)'),
    ),
    {
      examples: [
        'latchkey keys list --org acme',
        'latchkey keys list --owner dana@example.com --json',
      ],
    },
  ).action(async (flags: ListFlags) => finish(await listKeysCommand(runtime, flags)));
  withHelp(
    withCommonOptions(
      keys
        .command('show')
        .description('show one key; never its secret')
        .argument(...KEY_ID),
    ),
    { examples: [`latchkey keys show ${EXAMPLE_ID}`] },
  ).action(async (id: string, flags: Flags) => finish(await showKeyCommand(runtime, id, flags)));
}

/** What ends a secret, or all. */
function addEndings(keys: Command, runtime: Runtime, finish: Finish): void {
  withHelp(
    withCommonOptions(
      withPolicyOption(
        keys
          .command('rotate')
          .description('give a key a new secret and show its text, once; the id stays')
          .argument(...KEY_ID)
          .option(
            '--overlap <time>',
            'how long the old secret goes on working (90s, 30m, 24h, 7d, or 0)',
            '24h',
          ),
      ),
    ),
    {
      notes: 'Standard output is the new key and nothing else.',
      examples: [
        `latchkey keys rotate ${EXAMPLE_ID} --policy policy.yaml`,
        `latchkey keys rotate ${EXAMPLE_ID} --policy policy.yaml --overlap 0`,
      ],
    },
  ).action(async (id: string, flags: RotateFlags) =>
    finish(await rotateKeyCommand(runtime, id, flags)),
  );
  withHelp(
    withCommonOptions(
      withWaitOptions(
        keys
          .command('revoke')
          .description('end a key for good, with all its secrets')
          .argument(...KEY_ID),
      ),
    ),
    {
      notes: 'To refuse a key for a while: latchkey keys disable.',
      examples: [`latchkey keys revoke ${EXAMPLE_ID} --wait`],
    },
  ).action(async (id: string, flags: WaitFlags) =>
    finish(await revokeKeyCommand(runtime, id, flags)),
  );
}

const CREATE_HELP: HelpText = {
  notes: `
Standard output is the key and nothing else. The policy says what a key looks
like, and which plans and environments there are.`,
  examples: [
    'KEY=$(latchkey keys create --policy policy.yaml --org acme --name ci --scope read)',
    'latchkey keys create --policy policy.yaml --org acme --name partner --owner dana@example.com --scope read --expires 90d --cidr 203.0.113.0/24',
    'latchkey keys create --policy policy.yaml --org acme --name batch --json | jq -r .key',
  ],
};

const IMPORT_HELP: HelpText = {
  notes: `
Each line is one key:
  {"org": "acme", "name": "ci", "text": "the key itself", "scopes": ["read"]}
  {"org": "acme", "name": "ci", "sha256": "64 hexadecimal digits"}
Further fields: owner, environment (live), plan, cidrs, expires (ISO 8601),
metadata. All lines are imported or none. The policy must accept such texts:
key_format.also_accept or accept_foreign.`,
  examples: ['latchkey keys import keys.jsonl --policy policy.yaml'],
};
