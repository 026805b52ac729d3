import { type Command, Option } from 'commander';
import type { Finish, Flags, Runtime } from './ports.ts';
import { withPolicyOption, withStoreOptions } from './store-options.ts';

/** The commands that run servers: what they do is the application's matter. */
export function addServerCommands(program: Command, runtime: Runtime, finish: Finish): void {
  withPolicyOption(withStoreOptions(program.command('serve').description('answer Envoy')))
    .addOption(
      new Option('--role <role>', 'check: decide; api: manage; all: both').choices([
        'check',
        'api',
        'all',
      ]),
    )
    .option('--check-listen <address>', 'where Envoy asks: unix:/path or host:port')
    .option('--admin-listen <address>', 'health and metrics: host:port')
    .addHelpText(
      'after',
      '\nEvery option is also a variable (LATCHKEY_…): see docs/configuration.md. Stop with SIGTERM; SIGHUP reads the policy again.',
    )
    .action(async (flags: Flags) => finish(await runtime.serve(flags)));
  program
    .command('demo')
    .description(
      'Postgres, an upstream, latchkey and Envoy on this machine, with three keys to try',
    )
    .option('--smoke', 'run the printed commands, say what they gave, and stop')
    .option('--port <port>', 'where Envoy listens', '10000')
    .action(async (flags: Flags) => finish(await runtime.demo(flags)));
  withStoreOptions(
    program.command('migrate').description('bring the schema of the database up to date'),
  ).action(async (flags: Flags) => finish(await runtime.migrate(flags)));
}
