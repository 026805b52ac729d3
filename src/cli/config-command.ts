import type { Command } from 'commander';
import { fields } from './output.ts';
import { EXIT, type Finish, type Flags, type Runtime } from './ports.ts';
import { withPolicyOption, withStoreOptions } from './store-options.ts';

export function addConfigCommand(program: Command, runtime: Runtime, finish: Finish): void {
  const config = program.command('config').description('the configuration of the process');
  withPolicyOption(
    withStoreOptions(
      config
        .command('check')
        .description('say every problem of the configuration that `serve` would have'),
    ),
  ).action((flags: Flags) => finish(checkConfig(runtime, flags)));
}

function checkConfig({ terminal, checkConfig: check }: Runtime, flags: Flags): number {
  const checked = check(flags);
  if (flags['json'] === true) terminal.out(JSON.stringify(checked));
  if (checked.kind === 'invalid') {
    for (const problem of checked.problems) terminal.err(`latchkey: ${problem}`);
    return EXIT.usage;
  }
  if (flags['json'] !== true) {
    const pairs = Object.entries(checked.summary).map(
      ([name, value]) => [name, typeof value === 'string' ? value : JSON.stringify(value)] as const,
    );
    for (const line of fields(pairs)) terminal.out(line);
  }
  return EXIT.ok;
}
