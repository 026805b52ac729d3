import { describe, expect, it } from 'vitest';
import { EXIT } from '../../../src/cli/ports.ts';
import { COMMAND_CASES } from './command-cases.ts';
import { runRecorded } from './recording-runtime.ts';

const COMMANDS = COMMAND_CASES.map(({ command }) => command);

describe('help', () => {
  it('lists every command at the top, with the exit codes', async () => {
    const { out } = await runRecorded(['--help']);
    for (const group of new Set(COMMANDS.map((command) => command.split(' ')[0]))) {
      expect(out).toMatch(new RegExp(`^ {2}${group}\\b`, 'm'));
    }
    expect(out).toMatch(/Exit codes: 0 .*1 .*2/);
    // One `help` for all, which knows the commands below as well.
    expect((await runRecorded(['keys', '--help'])).out).not.toMatch(/^ {2}help\b/m);
  });

  it.each(COMMANDS)('`help %s` is the same as --help', async (command) => {
    const names = command.split(' ');
    const { out, code } = await runRecorded(['help', ...names]);
    expect(code).toBe(EXIT.ok);
    expect(out).toBe((await runRecorded([...names, '--help'])).out);
  });

  it.each([
    [
      'help keys destroy',
      /Unknown command 'keys destroy'\. There is: create, .*import\. See `latchkey keys --help`/,
    ],
    ['help keys list all', /Unknown command 'keys list all'\. See `latchkey keys list --help`/],
    ['help me', /Unknown command 'me'\. There is: serve, .*help\. See `latchkey --help`/],
  ])('of a command that does not exist names those that do: %s', async (line, text) => {
    const { code, out, err } = await runRecorded(line.split(' '));
    expect({ code, out }).toEqual({ code: EXIT.usage, out: '' });
    expect(err).toMatch(text);
    expect(err).not.toContain('\n');
  });

  it('is what a command line without a command gets, with the exit code of wrong usage', async () => {
    for (const argv of [[], ['keys'], ['config']]) {
      const { code, out, err } = await runRecorded(argv);
      expect({ code, out }).toEqual({ code: EXIT.usage, out: '' });
      expect(err).toContain('Usage: latchkey');
    }
  });
});

it('tells its version', async () => {
  expect(await runRecorded(['--version'])).toMatchObject({ code: EXIT.ok, out: '1.2.3' });
});

describe('wrong usage exits 2, and says what was meant', () => {
  it.each([
    ['kyes list', "latchkey: Unknown command 'kyes'. Did you mean keys? See `latchkey --help`."],
    ['keys lst', "latchkey: Unknown command 'lst'. Did you mean list? See `latchkey keys --help`."],
    [
      'keys list --jsn',
      "latchkey: Unknown option '--jsn'. Did you mean --json? See `latchkey keys list --help`.",
    ],
    [
      'serve --role chek',
      "latchkey: Option '--role <role>' argument 'chek' is invalid. Allowed choices are check, api, all. See `latchkey serve --help`.",
    ],
    ['--jsno', "latchkey: Unknown option '--jsno'. See `latchkey --help`."],
  ])('%s', async (line, text) => {
    const { code, out, err, calls } = await runRecorded(line.split(' '));
    expect({ code, out, err, calls }).toEqual({ code: EXIT.usage, out: '', err: text, calls: [] });
  });

  it.each(['keys revoke k --timeout 25h', 'orgs disable acme --timeout 30d'])(
    'nobody waits for longer than a day: %s',
    async (line) => {
      const { code, err, calls } = await runRecorded(line.split(' '));
      expect({ code, calls }).toEqual({ code: EXIT.usage, calls: [] });
      expect(err).toMatch(/is no time to wait\. Write 10s or 5m, 24h at most\.$/);
    },
  );

  it('is no document where a command has none', async () => {
    const { out, err } = await runRecorded(['serve', '--json']);
    expect(out).toBe('');
    expect(err).toBe("latchkey: Unknown option '--json'. See `latchkey serve --help`.");
  });

  it('a line break in an argument makes no second line', async () => {
    const { err } = await runRecorded(['keys', 'a\n(Did you mean rm?)\nlatchkey: done']);
    expect(err).toMatch(/^latchkey: Unknown command [^\n]+$/);
  });

  it('an argument that drives a terminal is not repeated as it is', async () => {
    const { err } = await runRecorded(['\u001b[31mred\u009b0m']);
    expect(err).toContain('\ufffd[31mred');
    expect(err).not.toMatch(/[\u001b\u009b]/);
  });
});

describe('a policy that cannot be read', () => {
  const broken = {
    readPolicy: async () =>
      ({ kind: 'refused', reason: 'invalid', message: 'The policy has errors.' }) as const,
  };

  it.each([
    'keys list',
    'keys show k',
    'keys revoke k',
    'keys disable k',
    'orgs list',
    'orgs create a',
    'orgs disable a',
    'users create u --org a',
  ])('does not stand in the way of %s', async (line) => {
    const { calls } = await runRecorded(line.split(' '), broken);
    expect(calls.map(([door]) => door)).toEqual(['openAccounts']);
  });

  it.each([
    'keys create --org a --name n',
    'keys rotate k',
    'keys import f',
    'orgs create a --plan big',
  ])('ends %s, which follows it', async (line) => {
    const { code, err, calls } = await runRecorded(line.split(' '), broken);
    expect({ code, calls }).toEqual({ code: EXIT.usage, calls: [] });
    expect(err).toBe('latchkey: The policy has errors.');
  });
});

describe('with --json', () => {
  it('a refusal is one document on standard output, and is told to people on standard error', async () => {
    const { code, out, err } = await runRecorded(['keys', 'list', '--json']);
    expect(code).toBe(EXIT.failed);
    expect(JSON.parse(out)).toEqual({
      error: { reason: 'unavailable', message: 'The store is away.' },
    });
    expect(err).toBe('latchkey: The store is away.');
  });

  it('config check has one shape, whatever it finds', async () => {
    const right = await runRecorded(['config', 'check', '--json']);
    expect(JSON.parse(right.out)).toEqual({
      problems: [],
      warnings: [],
      settings: { LATCHKEY_ROLE: 'check' },
    });
    const wrong = await runRecorded(['config', 'check', '--json'], {
      checkConfig: () => ({ kind: 'invalid', problems: ['One.', 'Two.'] }),
    });
    expect(wrong).toMatchObject({ code: EXIT.usage, err: 'latchkey: One.\nlatchkey: Two.' });
    expect(JSON.parse(wrong.out)).toEqual({
      problems: ['One.', 'Two.'],
      warnings: [],
      settings: null,
    });
  });
});

it('config check can be asked with the options of serve', async () => {
  const options = '--policy p --role all --check-listen unix:/s --admin-listen h:1 --embedded d';
  for (const [command, door] of [
    ['serve', 'serve'],
    ['config check', 'checkConfig'],
  ] as const) {
    const { calls } = await runRecorded([...command.split(' '), ...options.split(' ')]);
    const flags = {
      policy: 'p',
      role: 'all',
      checkListen: 'unix:/s',
      adminListen: 'h:1',
      embedded: 'd',
    };
    expect(calls).toEqual([[door, flags]]);
  }
});

it('a bug is not mistaken for wrong usage', async () => {
  const bug = new TypeError('bug');
  const failing = { openAccounts: () => Promise.reject(bug) };
  await expect(runRecorded(['keys', 'list'], failing)).rejects.toBe(bug);
});
