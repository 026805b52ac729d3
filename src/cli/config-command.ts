import type { Command } from 'commander';
import { createReply, fields } from './output.ts';
import { EXIT, type Finish, type Flags, type Runtime } from './ports.ts';
import { serveOptions } from './server-commands.ts';
import { withCommonOptions } from './store-options.ts';

export function addConfigCommand(program: Command, runtime: Runtime, finish: Finish): void {
  const config = program.command('config').description('the configuration of the process');
  withCommonOptions(
    serveOptions(
      config
        .command('check')
        .description('tell every problem that `serve` would have with its options and variables'),
    ),
  )
    .addHelpText(
      'after',
      '\nWithout a problem it prints what is in force, without secrets. For the policy file: latchkey policy check.',
    )
    .action((flags: Flags) => finish(checkConfig(runtime, flags)));
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
