import type { Command } from 'commander';
import { withHelp } from './help-text.ts';

/** `latchkey help keys revoke`: commander's own `help` goes one level deep. */
export function addHelpCommand(program: Command): void {
  for (const group of program.commands) group.helpCommand(false);
  withHelp(
    program
      .helpCommand(false)
      .command('help')
      .description('print the help of a command')
      .argument('[command...]', 'the command'),
    { examples: ['latchkey help keys create'] },
  ).action((names: readonly string[]) => {
    let command = program;
    for (const name of names) {
      const next = command.commands.find((candidate) => candidate.name() === name);
      if (next === undefined) {
        const known = command.commands.map((candidate) => candidate.name()).join(', ');
        const there = known === '' ? '' : ` There is: ${known}.`;
        return command.error(`error: unknown command '${names.join(' ')}'.${there}`);
      }
      command = next;
    }
    return command.help();
  });
}
