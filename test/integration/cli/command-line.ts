import { fileURLToPath } from 'node:url';
import { changeUrl, type TestPostgres } from '../../support/postgres.ts';
import { type CommandOutput, latchkey, type Variables } from '../../support/sidecar.ts';

export const MAIN = fileURLToPath(new URL('../../../src/main.ts', import.meta.url));
export const POLICY = fileURLToPath(new URL('../../../examples/policy.yaml', import.meta.url));

/** What a command printed must hold none of these: a stack, or the password of the database. */
const NEVER_PRINTED = [/^\s+at .*:\d+:\d+/m, /node:internal/, /operator-password/, /undefined/];

export interface CommandLine {
  readonly databaseUrl: string;
  /** Against the test's database and the example policy; `changes` win. */
  run(line: string | readonly string[], options?: RunOptions): Promise<CommandOutput>;
  /** The same with `--json`: its one document, and everything else. */
  json(line: string | readonly string[], options?: RunOptions): Promise<JsonOutput>;
}

export interface RunOptions {
  readonly variables?: Variables;
  /** Nothing of the test's own. */
  readonly bare?: boolean;
  readonly stdin?: string;
}

export interface JsonOutput extends CommandOutput {
  // A document has the shape that the test expects of it.
  // biome-ignore lint/suspicious/noExplicitAny: what a wrong shape does here is fail the test
  readonly document: any;
}

/** As somebody who manages accounts, with a password that must not show anywhere. */
export async function commandLine(postgres: TestPostgres): Promise<CommandLine> {
  await postgres.createLogin('operator', 'latchkey_api');
  const url = operatorUrl(postgres.url);
  const run: CommandLine['run'] = async (line, { variables = {}, bare = false, stdin } = {}) => {
    const ours = { LATCHKEY_DATABASE_URL: url, LATCHKEY_POLICY: POLICY };
    const args = typeof line === 'string' ? line.split(' ') : line;
    const output = await latchkey(args, { ...(bare ? {} : ours), ...variables }, stdin);
    for (const pattern of NEVER_PRINTED) {
      const where = `${output.stdout}${output.stderr}`;
      if (pattern.test(where)) throw new Error(`${args.join(' ')} printed ${pattern}:\n${where}`);
    }
    return output;
  };
  return {
    databaseUrl: url,
    run,
    async json(line, options) {
      const args = typeof line === 'string' ? line.split(' ') : line;
      const output = await run([...args, '--json'], options);
      const lines = output.stdout.trimEnd().split('\n');
      if (lines.length !== 1) throw new Error(`not one document: ${output.stdout}`);
      return { ...output, document: JSON.parse(lines[0] ?? '') };
    },
  };
}

export function operatorUrl(url: string): string {
  return changeUrl(url, { user: 'operator', password: 'operator-password' });
}
