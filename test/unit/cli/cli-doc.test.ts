import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { EXIT } from '../../../src/cli/ports.ts';
import { buildProgram } from '../../../src/cli/program.ts';
import { describeCommands, SHARED_OPTIONS } from './describe-command.ts';
import { recordingRuntime } from './recording-runtime.ts';

const DOC = readFileSync(new URL('../../../docs/cli.md', import.meta.url), 'utf8');
const COMMANDS = describeCommands(buildProgram(recordingRuntime().runtime, () => {}));

/** The text under each `### heading`, up to the next heading. */
const SECTIONS = new Map(
  DOC.split(/^#{2,3} /m).map((section) => {
    const end = section.indexOf('\n');
    return [section.slice(0, end), section.slice(end)] as const;
  }),
);

const rowsOf = (section: string): string[] =>
  section.split('\n').filter((line) => /^\| `(--|<|\[)/.test(line));

describe('docs/cli.md', () => {
  it.each(COMMANDS)(
    'has $name as the program has it',
    ({ name, usage, description, rows, shared, examples }) => {
      const section = SECTIONS.get(name) ?? '';
      expect(section).toContain(`\`${usage}\`: ${description}.`);
      expect(rowsOf(section)).toEqual(rows);
      const also = /^Also: (.*)\.$/m.exec(section)?.[1] ?? '';
      expect(also.split(', ').filter((text) => text !== '')).toEqual(
        shared.map((long) => `\`${long}\``),
      );
      const block = /^```sh\n(.*?)^```$/ms.exec(section)?.[1] ?? '';
      expect(block.trimEnd().split('\n')).toEqual(examples);
    },
  );

  it('has no command that the program does not have', () => {
    const verbs = [...DOC.matchAll(/^### ([a-z]+(?: [a-z]+)?)$/gm)].map(([, name]) => name);
    expect(verbs).toEqual(COMMANDS.map(({ name }) => name));
  });

  it('explains what many commands have, once, and every exit code', () => {
    const shared = rowsOf(SECTIONS.get('Options that many commands have') ?? '');
    expect(shared.map((row) => /--[a-z-]+/.exec(row)?.[0]).sort()).toEqual(
      [...SHARED_OPTIONS].sort(),
    );
    const codes = [...DOC.matchAll(/^\| (\d+) \|/gm)].map(([, code]) => Number(code));
    expect(codes).toEqual(Object.values(EXIT));
  });

  it('shows commands that the program takes', () => {
    for (const [, line] of DOC.matchAll(/^latchkey (\S+(?: [a-z]+)?)/gm)) {
      expect(COMMANDS.map(({ name }) => name)).toContain(
        COMMANDS.some(({ name }) => name === line) ? line : line?.split(' ')[0],
      );
    }
  });
});

it('no option takes a secret: arguments can be read by everybody on the machine', () => {
  const options = COMMANDS.flatMap(({ rows, shared }) => [...rows, ...shared]).join('\n');
  expect(options).not.toMatch(
    /--(database-url|url|password|key|text|secret|token|pepper)\b(?!-file)/,
  );
});
