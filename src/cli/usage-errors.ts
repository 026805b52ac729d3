import type { Command, CommanderError } from 'commander';
import { refusal } from '../accounts/result.ts';
import { createReply, printable } from './output.ts';
import type { Terminal } from './ports.ts';

/**
 * From now on each command tells what is wrong with its command line as every refusal is told: in one line, and with
 * `--json` as one document as well.
 */
export function tellUsageErrors(
  program: Command,
  terminal: Terminal,
  argv: readonly string[],
): void {
  for (const command of withSubcommands(program)) {
    command.exitOverride((error) => {
      if (isWrongUsage(error)) {
        const json = argv.includes('--json') && hasJson(command);
        const message = `${problem(error)} See \`${pathOf(command)} --help\`.`;
        createReply(terminal, { json }).refuse(refusal('invalid', message));
      }
      throw error;
    });
  }
}

function withSubcommands(command: Command): readonly Command[] {
  return [command, ...command.commands.flatMap(withSubcommands)];
}

function hasJson({ options }: Command): boolean {
  return options.some(({ long }) => long === '--json');
}

/** `latchkey keys list`. */
function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}

/** Help and version end a command line as well; a group without a command has printed its help. */
function isWrongUsage({ exitCode, code }: CommanderError): boolean {
  return exitCode !== 0 && code !== 'commander.help';
}

/** `error: unknown option '--jsn'` and a line `(Did you mean --json?)` → two sentences. */
function problem({ message }: CommanderError): string {
  const [, text = '', advice] =
    /^(?:error: )?(.*?)(?:\n\((Did you mean [^\n]*)\))?$/s.exec(message) ?? [];
  const sentence = printable(`${text.charAt(0).toUpperCase()}${text.slice(1)}`);
  const ended = /[.?]$/.test(sentence) ? sentence : `${sentence}.`;
  return advice === undefined ? ended : `${ended} ${printable(advice)}`;
}
