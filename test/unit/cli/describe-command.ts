import type { Command } from 'commander';
import { optionText } from '../../../src/cli/help-text.ts';

/** Explained once in docs/cli.md, under "Options that many commands have". */
export const SHARED_OPTIONS: ReadonlySet<string> = new Set([
  '--json',
  '--policy',
  '--database-url-file',
  '--embedded',
]);

export interface DescribedCommand {
  /** `keys show`. */
  readonly name: string;
  /** `latchkey keys show [options] <id>`. */
  readonly usage: string;
  readonly description: string;
  /** Rows of the command's own table: arguments, then options. */
  readonly rows: readonly string[];
  /** The shared options that it has. */
  readonly shared: readonly string[];
  /** Command lines to copy, as its help has them. */
  readonly examples: readonly string[];
}

/** Every command as commander knows it, in its order. */
export function describeCommands(program: Command): readonly DescribedCommand[] {
  return program.commands
    .flatMap((group) => (group.commands.length === 0 ? [group] : group.commands))
    .map(describeCommand);
}

function describeCommand(command: Command): DescribedCommand {
  const parent = command.parent?.parent === null ? '' : `${command.parent?.name()} `;
  const name = `${parent}${command.name()}`;
  const own = command.options.filter((option) => !SHARED_OPTIONS.has(option.long ?? ''));
  return {
    name,
    usage: `latchkey ${name} ${command.usage()}`,
    description: command.description(),
    rows: [
      ...command.registeredArguments.map((argument) => {
        const text = argument.required ? `<${argument.name()}>` : `[${argument.name()}]`;
        return `| \`${argument.variadic ? text.replace(/(.)$/, '...$1') : text}\` | ${argument.description} |`;
      }),
      ...own.map((option) => `| \`${option.flags}\` | ${optionText(option)} |`),
    ],
    shared: command.options
      .map((option) => option.long ?? '')
      .filter((long) => SHARED_OPTIONS.has(long)),
    examples: examplesIn(helpOf(command)),
  };
}

/** With what stands behind the options, which commander only gives away when it prints. */
function helpOf(command: Command): string {
  const texts: string[] = [];
  command.configureOutput({ writeOut: (text) => void texts.push(text) });
  command.outputHelp();
  return texts.join('');
}

/** The lines under `Examples:`, which ends a help. */
export function examplesIn(help: string): readonly string[] {
  const [, examples = ''] = help.split('\nExamples:\n');
  return examples.split('\n').flatMap((line) => (line.startsWith('  ') ? [line.slice(2)] : []));
}
