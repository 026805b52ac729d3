import type { Command } from 'commander';

/** `latchkey help keys revoke`: commander's own `help` goes one level deep. */
export function addHelpCommand(program: Command): void {
  for (const group of program.commands) group.helpCommand(false);
  program
    .helpCommand(false)
    .command('help')
    .description('show the help of a command, such as: help keys create')
    .argument('[command...]', 'the command')
    .action((names: readonly string[]) => {
      let command = program;
      for (const name of names) {
        const next = command.commands.find((candidate) => candidate.name() === name);
        if (next === undefined) {
          const known = command.commands.map((candidate) => candidate.name()).join(', ');
          return program.error(`error: unknown command '${names.join(' ')}'. There is: ${known}`);
        }
        command = next;
      }
      return command.help();
    });
}
