/** How one command is typed, rightly and wrongly. Every command of the program has a row; a test says so. */
export interface CommandCase {
  /** `keys show`. */
  readonly command: string;
  /** What follows it, so that it runs. */
  readonly right: string;
  /** The same without something that must be there, and what is told; absent: nothing must. */
  readonly missing?: readonly [args: string, problem: string];
  /** A value that cannot be, and what is told; absent: the command has none of its own. */
  readonly wrong?: readonly [args: string, problem: string];
  /** Its output is a log, or lines for a shell; its help says so. */
  readonly hasNoJson?: true;
  /** It looks at no database. */
  readonly hasNoStore?: true;
}

const NO_ID = "Missing required argument 'id'";
const WRONG_TIMEOUT = '--timeout "soon" is no time to wait. Write 10s or 5m, 24h at most.';
const WRONG_ROLE =
  "Option '--role <role>' argument 'chek' is invalid. Allowed choices are check, api,";

export const COMMAND_CASES: readonly CommandCase[] = [
  { command: 'serve', right: '--policy p', wrong: ['--role chek', WRONG_ROLE], hasNoJson: true },
  {
    command: 'demo',
    right: '--smoke',
    wrong: ['--port 65536', "argument '65536' is invalid. Write a number up to 65535."],
    hasNoJson: true,
    hasNoStore: true,
  },
  { command: 'migrate', right: '' },
  { command: 'config check', right: '', wrong: ['--role chek', WRONG_ROLE] },
  {
    command: 'policy check',
    right: 'examples/policy.yaml',
    missing: ['', "Missing required argument 'file'"],
    wrong: ['/nowhere.yaml', '/nowhere.yaml does not exist; create it, or name another file.'],
    hasNoStore: true,
  },
  { command: 'policy schema', right: '', hasNoStore: true },
  { command: 'orgs create', right: 'acme', missing: ['', "Missing required argument 'name'"] },
  { command: 'orgs list', right: '' },
  {
    command: 'orgs disable',
    right: 'acme --wait',
    missing: ['', "Missing required argument 'org'"],
    wrong: ['acme --timeout soon', WRONG_TIMEOUT],
  },
  { command: 'orgs enable', right: 'acme', missing: ['', "Missing required argument 'org'"] },
  {
    command: 'users create',
    right: 'Dana --org acme',
    missing: ['Dana', "Required option '--org <org>' not specified"],
    wrong: [
      'Dana --org acme --role root',
      "argument 'root' is invalid. Allowed choices are member,",
    ],
  },
  {
    command: 'users list',
    right: '--org acme',
    missing: ['--org', "'--org <org>' argument missing"],
  },
  {
    command: 'users disable',
    right: 'dana@example.com',
    missing: ['--wait', "Missing required argument 'user'"],
    wrong: ['dana@example.com --timeout soon', WRONG_TIMEOUT],
  },
  { command: 'users enable', right: 'Dana', missing: ['', "Missing required argument 'user'"] },
  {
    command: 'keys create',
    right: '--org acme --name ci --scope read --scope write',
    missing: ['--org acme', "Required option '--name <name>' not specified"],
    wrong: ['--org acme --name ci', 'The look of a key is set by the policy. Name its file with'],
  },
  {
    command: 'keys list',
    right: '--owner dana@example.com',
    missing: ['--owner', "'--owner <user>' argument missing"],
  },
  { command: 'keys show', right: '4fJ2kQ9xZb', missing: ['', NO_ID] },
  {
    command: 'keys rotate',
    right: '4fJ2kQ9xZb --overlap 0',
    missing: ['', NO_ID],
    wrong: ['4fJ2kQ9xZb --overlap later', '--overlap "later" is no time span. Write 30m, 24h, 7d'],
  },
  {
    command: 'keys revoke',
    right: '4fJ2kQ9xZb --wait --timeout 1m',
    missing: ['--wait', NO_ID],
    wrong: ['4fJ2kQ9xZb --timeout soon', WRONG_TIMEOUT],
  },
  {
    command: 'keys disable',
    right: '4fJ2kQ9xZb',
    missing: ['', NO_ID],
    wrong: ['4fJ2kQ9xZb --timeout soon', WRONG_TIMEOUT],
  },
  { command: 'keys enable', right: '4fJ2kQ9xZb', missing: ['', NO_ID] },
  {
    command: 'keys import',
    right: '-',
    missing: ['', "Missing required argument 'file'"],
    wrong: ['/nowhere', '/nowhere is not there.'],
  },
];

/** As a shell splits it. */
export function argvOf(command: string, args: string): string[] {
  return `${command} ${args}`.trim().split(' ');
}
