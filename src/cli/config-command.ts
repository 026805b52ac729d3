import type { Command } from 'commander';
import { withHelp } from './help-text.ts';
import { createReply, fields } from './output.ts';
import { EXIT, type Finish, type Flags, type Runtime } from './ports.ts';
import { serveOptions } from './server-commands.ts';
import { withCommonOptions } from './store-options.ts';

export function addConfigCommand(program: Command, runtime: Runtime, finish: Finish): void {
  const config = program.command('config').description('the configuration of the process');
  withHelp(
    withCommonOptions(
      serveOptions(
        config
          .command('check')
          .description('tell every problem that `serve` would have with its options and variables'),
      ),
    ),
    {
      notes: `
Without a problem it prints what is in force, without secrets. For what is in the
policy file: latchkey policy check.`,
      examples: [
        'latchkey config check --policy policy.yaml',
        'latchkey config check --role all --json',
      ],
    },
  ).action((flags: Flags) => finish(checkConfig(runtime, flags)));
}

function checkConfig({ terminal, checkConfig: check }: Runtime, flags: Flags): number {
  const reply = createReply(terminal, flags);
  const checked = check(flags);
  if (checked.kind === 'invalid') {
    for (const problem of checked.problems) reply.note(`latchkey: ${problem}`);
    reply.tell({ problems: checked.problems, warnings: [], settings: null }, []);
    return EXIT.usage;
  }
  const { summary, warnings } = checked;
  for (const warning of warnings) reply.note(`latchkey: warning: ${warning}`);
  return reply.tell({ problems: [], warnings, settings: summary }, fields(Object.entries(summary)));
}
