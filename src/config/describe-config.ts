import type { Setting } from './settings.ts';
import { flagText, settingEntries } from './settings-reading.ts';

/** The rows of the table in docs/configuration.md: variable, option, default, meaning. */
export function describeConfig(): readonly string[] {
  return settingEntries().map(([, setting]) => {
    const cells = [variableCell(setting), optionCell(setting), defaultCell(setting), setting.about];
    return `| ${cells.join(' | ')} |`;
  });
}

function variableCell({ variable, secret }: Setting): string {
  return secret ? `\`${variable}\` or \`${variable}_FILE\`` : `\`${variable}\``;
}

function optionCell({ flag, fileFlag }: Setting): string {
  const option = flag ?? fileFlag;
  return option === undefined ? '' : `\`${flagText(option)}\``;
}

function defaultCell({ fallback }: Setting): string {
  return fallback === undefined ? '' : `\`${fallback}\``;
}
