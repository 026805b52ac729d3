import type { Command } from 'commander';
import { checkPolicyText } from '../policy/check-policy.ts';
import { POLICY_BYTES_MAX } from '../policy/policy-file.ts';
import { formatProblem, type PolicyProblem } from '../policy/problem.ts';
import { policyJsonSchema } from '../policy/schema.ts';
import { refuse } from './output.ts';
import { EXIT, type Finish, type Flags, type Runtime } from './ports.ts';

export function addPolicyCommand(program: Command, runtime: Runtime, finish: Finish): void {
  const policy = program.command('policy').description('the policy file');
  policy
    .command('check')
    .description('say every error and warning of a policy file, with its line')
    .argument('<file>', 'policy file, or - for standard input')
    .option('--json', 'print JSON')
    .action(async (file: string, flags: Flags) => finish(await checkPolicy(runtime, file, flags)));
  policy
    .command('schema')
    .description('print the JSON Schema of the policy file, for editors')
    .option('--json', 'JSON is what is printed in any case')
    .action(() => {
      runtime.terminal.out(JSON.stringify(policyJsonSchema(), null, 2));
      finish(EXIT.ok);
    });
}

async function checkPolicy({ terminal }: Runtime, file: string, flags: Flags): Promise<number> {
  const json = flags['json'] === true;
  const content = await terminal.read(file, POLICY_BYTES_MAX);
  if (content.kind === 'refused') return refuse(terminal, content, json);
  const { errors, warnings, policy } = checkPolicyText(content.value);
  if (json) {
    terminal.out(JSON.stringify({ errors, warnings, sha256: policy?.sha256 ?? null }));
    return policy === undefined ? EXIT.failed : EXIT.ok;
  }
  const tell = (kind: string, problems: readonly PolicyProblem[]): void => {
    for (const problem of problems) terminal.err(`${file}:${formatProblem(problem)} (${kind})`);
  };
  tell('error', errors);
  tell('warning', warnings);
  if (policy === undefined) {
    terminal.err(
      `latchkey: ${file} has ${errors.length === 1 ? '1 error' : `${errors.length} errors`}.`,
    );
    return EXIT.failed;
  }
  terminal.out(
    `${file} is a valid policy: ${policy.rulesByName.size} rules, sha256 ${policy.sha256}`,
  );
  return EXIT.ok;
}
