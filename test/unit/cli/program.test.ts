import { describe, expect, it } from 'vitest';
import { EXIT } from '../../../src/cli/ports.ts';
import { buildProgram } from '../../../src/cli/program.ts';
import { recordingRuntime, runRecorded } from './recording-runtime.ts';

const COMMANDS = [
  'serve',
  'demo',
  'migrate',
  'config check',
  'policy check',
  'policy schema',
  'orgs create',
  'orgs list',
  'orgs disable',
  'orgs enable',
  'users create',
  'users list',
  'users disable',
  'users enable',
  'keys create',
  'keys list',
  'keys show',
  'keys rotate',
  'keys revoke',
  'keys disable',
  'keys enable',
  'keys import',
] as const;

/** Their output is a log, or lines for a shell; their help says so. */
const WITHOUT_JSON = new Set<string>(['serve', 'demo']);
const WITHOUT_STORE = new Set<string>(['demo', 'policy check', 'policy schema']);

describe('help', () => {
  it.each(COMMANDS)('of %s says what it does and with what', async (command) => {
    const { code, out, err } = await runRecorded([...command.split(' '), '--help']);
    expect({ code, err }).toEqual({ code: EXIT.ok, err: '' });
    expect(out).toMatch(new RegExp(`^Usage: latchkey ${command} `));
    // The description stands between the usage and the first heading.
    expect(out.split('\n')[2]).toMatch(/\w+/);
    expect(out.includes('--json')).toBe(true);
    expect(/^ {2}--json /m.test(out)).toBe(!WITHOUT_JSON.has(command));
    expect(out.includes('--database-url-file')).toBe(!WITHOUT_STORE.has(command));
    expect(out).not.toContain('default: []');
  });

  it('lists every command at the top, with the exit codes', async () => {
    const { out } = await runRecorded(['--help']);
    for (const group of new Set(COMMANDS.map((command) => command.split(' ')[0]))) {
      expect(out).toMatch(new RegExp(`^ {2}${group}\\b`, 'm'));
    }
    expect(out).toMatch(/Exit codes: 0 .*1 .*2/);
    // One `help` for all, which knows the commands below as well.
    expect((await runRecorded(['keys', '--help'])).out).not.toMatch(/^ {2}help\b/m);
  });

  it('is held for every command there is', () => {
    const program = buildProgram(recordingRuntime().runtime, () => {});
    const leaves = program.commands.flatMap((group) =>
      group.commands.length === 0
        ? [group.name()]
        : group.commands.map((verb) => `${group.name()} ${verb.name()}`),
    );
    expect(leaves.filter((name) => name !== 'help')).toEqual(COMMANDS);
  });

  it.each(COMMANDS)('`help %s` is the same as --help', async (command) => {
    const names = command.split(' ');
    const { out, code } = await runRecorded(['help', ...names]);
    expect(code).toBe(EXIT.ok);
    expect(out).toBe((await runRecorded([...names, '--help'])).out);
  });

  it('of a command that does not exist names those that do', async () => {
    const { code, err } = await runRecorded(['help', 'keys', 'destroy']);
    expect(code).toBe(EXIT.usage);
    expect(err).toContain("unknown command 'keys destroy'");
    expect(err).toContain('revoke');
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

describe('wrong usage exits 2, opens nothing, and says what was meant', () => {
  it.each([
    ['kyes list', "unknown command 'kyes'", 'Did you mean keys?'],
    ['keys lst', "unknown command 'lst'", 'Did you mean list?'],
    ['keys list --jsn', "unknown option '--jsn'", 'Did you mean --json?'],
    ['keys list extra', 'too many arguments', '--help'],
    ['keys show', "missing required argument 'id'", '--help'],
    ['keys create --org acme', "required option '--name <name>' not specified", '--help'],
    ['keys list --org', "option '--org <org>' argument missing", '--help'],
    ['serve --role chek', "argument 'chek' is invalid", 'check, api, all'],
    [
      'users create Dana --org acme --role root',
      "'root' is invalid",
      'member, org_admin, super_admin',
    ],
    ['keys revoke k --timeout soon', '--timeout "soon" is no time to wait', '24h at most'],
    ['keys revoke k --timeout 25h', '--timeout "25h" is no time to wait', '24h at most'],
    ['orgs disable acme --timeout 30d', '--timeout "30d" is no time to wait', '24h at most'],
    ['keys rotate k --overlap later', '--overlap "later" is no time span', '24h'],
    ['keys create --org acme --name ci', 'set by the policy', '--policy FILE'],
    ['keys rotate k', 'set by the policy', 'LATCHKEY_POLICY'],
  ])('%s', async (line, problem, advice) => {
    const { code, out, err, calls } = await runRecorded(line.split(' '));
    expect({ code, out }).toEqual({ code: EXIT.usage, out: '' });
    expect(err).toContain(problem);
    expect(err).toContain(advice);
    expect(calls.map(([door]) => door)).not.toContain('openAccounts');
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
