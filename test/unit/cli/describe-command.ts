import type { Command, Option } from 'commander';

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
  };
}

function optionText({ description, mandatory, defaultValue, argChoices }: Option): string {
  const remarks = [
    ...(mandatory ? ['required'] : []),
    ...(argChoices === undefined ? [] : [`one of ${argChoices.join(', ')}`]),
    ...(defaultValue === undefined ? [] : [`default ${String(defaultValue)}`]),
  ];
  return remarks.length === 0 ? description : `${description} (${remarks.join('; ')})`;
}
