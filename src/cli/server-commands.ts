import { type Command, InvalidArgumentError, Option } from 'commander';
import { type HelpText, withHelp } from './help-text.ts';
import type { Finish, Flags, Runtime } from './ports.ts';
import { withCommonOptions, withPolicyOption, withStoreOptions } from './store-options.ts';

const ROLES = ['check', 'api', 'all'] as const;

/** The commands that run servers: what they do is the application's matter. */
export function addServerCommands(program: Command, runtime: Runtime, finish: Finish): void {
  withHelp(
    withStoreOptions(serveOptions(program.command('serve').description('answer Envoy'))),
    SERVE_HELP,
  ).action(async (flags: Flags) => finish(await runtime.serve(flags)));
  withHelp(
    program
      .command('demo')
      .description(
        'Postgres, an upstream, latchkey and Envoy on this machine, with three keys to try',
      )
      .option('--smoke', 'run the printed commands, say what they gave, and stop')
      .option('--port <port>', 'where Envoy listens; 0 takes a free one', portText, '10000'),
    DEMO_HELP,
  ).action(async (flags: Flags) => finish(await runtime.demo(flags)));
  withHelp(
    withCommonOptions(
      program.command('migrate').description('bring the schema of the database up to date'),
    ),
    MIGRATE_HELP,
  ).action(async (flags: Flags) => finish(await runtime.migrate(flags)));
}

const PORT_MAX = 65_535;

function portText(text: string): string {
  if (/^\d{1,5}$/.test(text) && Number(text) <= PORT_MAX) return text;
  throw new InvalidArgumentError(`Write a number up to ${PORT_MAX}.`);
}

/** What `serve` can be told, and `config check` can be asked about. */
export function serveOptions(command: Command): Command {
  return withPolicyOption(command)
    .addOption(
      new Option('--role <role>', 'check: decide for Envoy; api: manage; all: both').choices(ROLES),
    )
    .option('--check-listen <address>', 'where Envoy asks: unix:/path or host:port')
    .option('--admin-listen <address>', 'health and metrics: host:port');
}

const SERVE_HELP: HelpText = {
  notes: `
A policy and a database are needed. Every option is also a variable (LATCHKEY_…),
and there are more variables than options: see docs/configuration.md; latchkey
config check tells what is in force. SIGTERM drains and stops; SIGHUP reads the
policy again. The log is JSON lines on standard output, so there is no --json.`,
  examples: [
    'latchkey serve --policy policy.yaml --check-listen unix:/run/latchkey/check.sock',
    'latchkey serve --policy policy.yaml --embedded',
  ],
};

const DEMO_HELP: HelpText = {
  notes: `
Its data is in a folder of its own that is gone afterwards; Ctrl-C stops
everything. What it prints is for a shell to run, so there is no --json. Envoy is
ENVOY_BIN, else one on the path, else downloaded.`,
  examples: ['latchkey demo', 'latchkey demo --smoke --port 0'],
};

const MIGRATE_HELP: HelpText = {
  notes: `
Run it before a new version of latchkey serves: the schema goes on serving the
version before. Two at once are safe. The user of the database URL has to own the
schema or be a member of latchkey_migrate.`,
  examples: ['latchkey migrate --database-url-file /run/secrets/migrate-url'],
};
