import type { Command, Option } from 'commander';

/** What the help of a command has after its options. */
export interface HelpText {
  /** What else there is to know, in lines of 80 characters at most. */
  readonly notes?: string;
  /** Whole lines to copy. */
  readonly examples: readonly string[];
}

export function withHelp(command: Command, { notes, examples }: HelpText): Command {
  const blocks = [
    ...(notes === undefined ? [] : [notes.trim()]),
    ['Examples:', ...examples.map((example) => `  ${example}`)].join('\n'),
  ];
  return command.addHelpText('after', `\n${blocks.join('\n\n')}`);
}

/** The meaning of an option with what may be given: the same words in the help and in docs/cli.md. */
export function optionText({ description, mandatory, defaultValue, argChoices }: Option): string {
  const remarks = [
    ...(mandatory ? ['required'] : []),
    ...(argChoices === undefined ? [] : [`one of ${argChoices.join(', ')}`]),
    ...(defaultValue === undefined ? [] : [`default ${String(defaultValue)}`]),
  ];
  return remarks.length === 0 ? description : `${description} (${remarks.join('; ')})`;
}
