import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestPostgres, type TestPostgres } from '../../support/postgres.ts';
import { COMMAND_CASES } from '../../unit/cli/command-cases.ts';
import { type CommandLine, commandLine, POLICY } from './command-line.ts';

/* With --json every command gives exactly one document, whether it could do what was asked or not. */

let postgres: TestPostgres;
let cli: CommandLine;

beforeAll(async () => {
  postgres = await startTestPostgres();
  cli = await commandLine(postgres);
  await postgres.sql('GRANT latchkey_migrate TO operator');
  await postgres.sql("INSERT INTO latchkey.organizations (id, name) VALUES ('o1', 'acme')");
  await postgres.sql(`INSERT INTO latchkey.users (id, organization_id, name, role)
    VALUES ('u1', 'o1', 'Dana', 'member')`);
  await postgres.sql(`INSERT INTO latchkey.api_keys (id, name, organization_id, environment)
    SELECT 'k' || n, 'ci', 'o1', 'live' FROM generate_series(1, 4) AS n`);
});

afterAll(() => postgres.close());

interface Case {
  /** Arguments with which it does what it is for. */
  readonly done: string;
  /** Arguments with which it cannot, the exit code and the reason; absent: it always can. */
  readonly refused?: readonly [args: string, code: number, reason: string];
  readonly stdin?: string;
}

const NO_DATABASE = ['--database-url-file /nowhere', 2, 'invalid'] as const;

const CASES: Readonly<Record<string, Case>> = {
  migrate: { done: '', refused: NO_DATABASE },
  // These two tell what they find in a shape of their own.
  'config check': { done: '' },
  'policy check': { done: POLICY, refused: ['/nowhere.yaml', 2, 'invalid'] },
  'policy schema': { done: '' },
  'orgs create': { done: 'globex --plan trial', refused: ['acme', 1, 'conflict'] },
  'orgs list': { done: '', refused: NO_DATABASE },
  'orgs disable': { done: 'globex --wait', refused: ['nowhere', 1, 'not_found'] },
  'orgs enable': { done: 'globex', refused: ['nowhere', 1, 'not_found'] },
  'users create': { done: 'Ed --org acme', refused: ['Ed --org nowhere', 1, 'not_found'] },
  'users list': { done: '--org acme', refused: ['--org nowhere', 1, 'not_found'] },
  'users disable': { done: 'u1 --wait', refused: ['nobody', 1, 'not_found'] },
  'users enable': { done: 'u1', refused: ['nobody', 1, 'not_found'] },
  'keys create': {
    done: '--org acme --name ci --scope read',
    refused: ['--org acme --name ci --plan gold', 2, 'invalid'],
  },
  'keys list': { done: '--owner u1', refused: ['--owner nobody', 1, 'not_found'] },
  'keys show': { done: 'k1', refused: ['none', 1, 'not_found'] },
  'keys rotate': { done: 'k2', refused: ['none', 1, 'not_found'] },
  'keys revoke': { done: 'k3 --wait', refused: ['none', 1, 'not_found'] },
  'keys disable': { done: 'k4 --wait', refused: ['none', 1, 'not_found'] },
  'keys enable': { done: 'k4', refused: ['k3', 1, 'conflict'] },
  'keys import': {
    done: '-',
    refused: ['/nowhere', 2, 'invalid'],
    stdin: '{"org": "acme", "name": "old", "text": "cpx_live.1234567890"}',
  },
};

it('every command with --json has a row in the table', () => {
  const withJson = COMMAND_CASES.filter(({ hasNoJson }) => hasNoJson !== true);
  expect(Object.keys(CASES)).toEqual(withJson.map(({ command }) => command));
});

describe('with --json a command gives one document', () => {
  const rows = Object.entries(CASES).map(([command, row]) => ({ command, ...row }));

  it.each(rows)('when it is done, with exit code 0: $command $done', async (row) => {
    const { command, done, stdin } = row;
    const options = stdin === undefined ? {} : { stdin };
    const { code, document, stderr } = await cli.json(`${command} ${done}`.trim(), options);
    expect({ code, error: document.error }).toEqual({ code: 0, error: undefined });
    expect(document).toBeTypeOf('object');
    expect(stderr).not.toMatch(/^latchkey: /m);
  });

  const refusals = rows.flatMap(({ command, refused }) =>
    refused ? [[command, ...refused] as const] : [],
  );

  it.each(refusals)(
    'when it cannot be: %s %s exits %i for %s',
    async (command, args, exit, reason) => {
      // What the command line names must be the only database.
      const bare = args === NO_DATABASE[0];
      const { code, document, stderr } = await cli.json(`${command} ${args}`, { bare });
      const { message } = document.error;
      expect({ code, document, stderr }).toEqual({
        ...{ code: exit, document: { error: { reason, message } } },
        stderr: `latchkey: ${message}\n`,
      });
    },
  );
});
