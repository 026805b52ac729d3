import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { EXIT } from '../../../src/cli/ports.ts';
import { buildProgram } from '../../../src/cli/program.ts';
import { argvOf, COMMAND_CASES } from './command-cases.ts';
import { examplesIn } from './describe-command.ts';
import { recordingRuntime, runRecorded } from './recording-runtime.ts';

const PROGRAM = buildProgram(recordingRuntime().runtime, () => {});
const LEAVES = new Map(leavesOf(PROGRAM));

function leavesOf(parent: Command, path = ''): [string, Command][] {
  return parent.commands.flatMap((command): [string, Command][] => {
    const name = `${path}${command.name()}`;
    return command.commands.length === 0 ? [[name, command]] : leavesOf(command, `${name} `);
  });
}

const leaf = (name: string): Command => {
  const command = LEAVES.get(name);
  if (command === undefined) throw new Error(`there is no command ${name}`);
  return command;
};

it('every command that there is has a row in the table', () => {
  const rows = COMMAND_CASES.map(({ command }) => command);
  expect([...LEAVES.keys()].filter((name) => name !== 'help')).toEqual(rows);
});

/** One line on standard error that says what was wrong and what to do; nothing on standard output. */
async function expectRefusal(argv: readonly string[], problem: string): Promise<void> {
  const { code, out, err, calls } = await runRecorded(argv);
  expect({ argv, code, out }).toEqual({ argv, code: EXIT.usage, out: '' });
  expect(err).toMatch(/^latchkey: [^\n]+[.?`]$/);
  expect(err).toContain(problem);
  expect(calls.map(([door]) => door)).not.toContain('openAccounts');
}

/** The one document has the words of the line. */
async function expectRefusalAsJson(argv: readonly string[]): Promise<void> {
  const { code, out, err } = await runRecorded(argv);
  expect({ argv, code }).toEqual({ argv, code: EXIT.usage });
  const { error } = JSON.parse(out);
  expect(error).toEqual({ reason: 'invalid', message: err.replace(/^latchkey: /, '') });
}

describe.each(COMMAND_CASES)('$command', (row) => {
  const { command, right, missing, wrong, hasNoJson = false, hasNoStore = false } = row;
  const see = `See \`latchkey ${command} --help\`.`;

  it('says by --help what it does, with what, and how it is typed', async () => {
    const { code, out, err } = await runRecorded([...command.split(' '), '--help']);
    expect({ code, err }).toEqual({ code: EXIT.ok, err: '' });
    expect(out).toMatch(new RegExp(`^Usage: latchkey ${command} `));
    // The description stands between the usage and the first heading.
    expect(out.split('\n')[2]).toMatch(/\w+/);
    for (const { flags, description } of leaf(command).options) {
      expect(out).toContain(`  ${flags} `);
      expect(description, flags).toMatch(/\w{2,}/);
    }
    for (const argument of leaf(command).registeredArguments) {
      expect(out).toMatch(new RegExp(`^ {2}${argument.name()} +\\w+`, 'm'));
    }
    expect(out.includes('--database-url-file')).toBe(!hasNoStore);
    // What a terminal of the usual width need not break, but for lines that are to be copied.
    const wide = out.split('\n').filter((line) => line.length > 82 && !line.includes('latchkey '));
    expect(wide).toEqual([]);
  });

  it('has examples that it takes', async () => {
    const { out } = await runRecorded([...command.split(' '), '--help']);
    const examples = examplesIn(out);
    expect(examples.length).toBeGreaterThan(0);
    for (const example of examples) {
      const typed = example.replace(/^KEY=\$\((.*)\)$/, '$1').replace(/ [|>] .*$/, '');
      expect(typed).toMatch(new RegExp(`^latchkey ${command}( |$)`));
      const { err } = await runRecorded(typed.split(' ').slice(1));
      expect(err).not.toContain('--help');
    }
  });

  it('has --json, or says why not', async () => {
    const has = leaf(command).options.some(({ long }) => long === '--json');
    expect(has).toBe(!hasNoJson);
    const { out } = await runRecorded([...command.split(' '), '--help']);
    if (hasNoJson) expect(out.replaceAll('\n', ' ')).toContain('so there is no --json.');
  });

  it('is taken as the table has it', async () => {
    const { err } = await runRecorded(argvOf(command, right));
    expect(err).not.toContain('--help');
  });

  const refusals: readonly (readonly [what: string, args: string, problem: string])[] = [
    [
      'an unknown option',
      `${right} --no-such-option`.trim(),
      `Unknown option '--no-such-option'. ${see}`,
    ],
    ['an argument too many', `${right} surplus`.trim(), 'Too many arguments'],
    ...(missing === undefined
      ? []
      : [['something missing', missing[0], `${missing[1]}. ${see}`] as const]),
    ...(wrong === undefined ? [] : [['a wrong value', wrong[0], wrong[1]] as const]),
  ];

  it.each(refusals)('refuses %s: %s', async (_, args, problem) => {
    await expectRefusal(argvOf(command, args), problem);
    if (!hasNoJson) await expectRefusalAsJson(argvOf(command, `--json ${args}`));
  });
});
