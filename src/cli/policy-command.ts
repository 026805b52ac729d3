import type { Command } from 'commander';
import { ok, type Result, refusal } from '../accounts/result.ts';
import { checkPolicyText } from '../policy/check-policy.ts';
import { POLICY_BYTES_MAX, readPolicyFile } from '../policy/policy-file.ts';
import { formatProblem, type PolicyProblem } from '../policy/problem.ts';
import { policyJsonSchema } from '../policy/schema.ts';
import { withHelp } from './help-text.ts';
import { createReply } from './output.ts';
import { EXIT, type Finish, type Flags, type Runtime, type Terminal } from './ports.ts';
import { withJsonOption } from './store-options.ts';

export function addPolicyCommand(program: Command, runtime: Runtime, finish: Finish): void {
  const policy = program.command('policy').description('the policy file');
  withHelp(
    withJsonOption(
      policy
        .command('check')
        .description('tell every error and warning of a policy file, with its place')
        .argument('<file>', 'policy file, or - for standard input'),
    ),
    { examples: ['latchkey policy check policy.yaml', 'latchkey policy check --json -'] },
  ).action(async (file: string, flags: Flags) => finish(await checkPolicy(runtime, file, flags)));
  withHelp(
    withJsonOption(
      policy.command('schema').description('print the JSON Schema of the policy file, for editors'),
    ),
    {
      notes: 'It is JSON in any case; with --json on one line.',
      examples: ['latchkey policy schema > policy.schema.json'],
    },
  ).action((flags: Flags) => {
    const schema = policyJsonSchema();
    const lines = JSON.stringify(schema, null, 2).split('\n');
    finish(createReply(runtime.terminal, flags).tell(schema, lines));
  });
}

async function checkPolicy({ terminal }: Runtime, file: string, flags: Flags): Promise<number> {
  const reply = createReply(terminal, flags);
  const content = await readText(terminal, file);
  if (content.kind === 'refused') return reply.refuse(content);
  const { errors, warnings, policy } = checkPolicyText(content.value);
  const note = (kind: string, problems: readonly PolicyProblem[]): void => {
    for (const problem of problems) reply.note(`${file}:${formatProblem(problem)} (${kind})`);
  };
  note('error', errors);
  note('warning', warnings);
  const document = { errors, warnings, sha256: policy?.sha256 ?? null };
  if (policy !== undefined) {
    const { rulesByName, sha256 } = policy;
    return reply.tell(document, [
      `${file} is a valid policy: ${rulesByName.size} rules, sha256 ${sha256}`,
    ]);
  }
  reply.tell(document, []);
  reply.note(
    `latchkey: ${file} has ${errors.length === 1 ? '1 error' : `${errors.length} errors`}.`,
  );
  return EXIT.failed;
}

/** As `serve` reads it; standard input too. */
async function readText(terminal: Terminal, file: string): Promise<Result<string>> {
  if (file === '-') return terminal.read(file, POLICY_BYTES_MAX);
  const reading = await readPolicyFile(file);
  return reading.kind === 'text' ? ok(reading.text) : refusal('invalid', reading.message);
}
