import { ok, type Result, refusal } from '../accounts/result.ts';
import type { Flags } from '../cli/ports.ts';
import { type Environment, readCommandConfig } from '../config/read-config.ts';
import { checkPolicyText } from '../policy/check-policy.ts';
import type { FilePolicy } from '../policy/compile.ts';
import { readPolicyFile } from '../policy/policy-file.ts';
import { formatProblem } from '../policy/problem.ts';

/** The policy for a command that needs one; the others must work while it is broken, above all `keys revoke`. */
export async function readPolicy(
  flags: Flags,
  environment: Environment,
): Promise<Result<FilePolicy | undefined>> {
  const reading = readCommandConfig(flags, environment);
  if (reading.kind === 'invalid') return refusal('invalid', reading.problems.join('\n'));
  const file = reading.config.policyFile;
  if (file === undefined) return ok(undefined);
  const content = await readPolicyFile(file);
  if (content.kind === 'unreadable') return refusal('invalid', content.message);
  const { policy, errors } = checkPolicyText(content.text);
  if (policy !== undefined) return ok(policy);
  const lines = errors.map((problem) => `${file}:${formatProblem(problem)}`);
  return refusal('invalid', `The policy has errors.\n${lines.join('\n')}`);
}
