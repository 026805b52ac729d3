import { userInfo } from 'node:os';
import { type Result, refusal } from '../accounts/result.ts';
import type { Flags, OpenAccounts } from '../cli/ports.ts';
import { type Environment, readCommandConfig } from '../config/read-config.ts';
import { checkPolicyText } from '../policy/check-policy.ts';
import type { FilePolicy } from '../policy/compile.ts';
import { POLICY_BYTES_MAX } from '../policy/policy-file.ts';
import { formatProblem } from '../policy/problem.ts';
import type { PostgresLog } from '../postgres/log.ts';
import { PepperKeyring } from '../secrets/pepper-keyring.ts';
import { createAccounts } from './accounts.ts';
import { askSchema } from './schema-at-start.ts';
import { openStore } from './store.ts';
import { sleep } from './system.ts';
import { processTerminal } from './terminal.ts';

/** The store for one command: what it writes is on record under the name of whoever runs it. */
export async function openAccounts(
  flags: Flags,
  { environment, log }: { readonly environment: Environment; readonly log: PostgresLog },
): Promise<Result<OpenAccounts>> {
  const reading = readCommandConfig(flags, environment);
  if (reading.kind === 'invalid') return refusal('invalid', reading.problems.join('\n'));
  const { store, policyFile, peppers, staleWindowMs } = reading.config;
  const policy = policyFile === undefined ? undefined : await readPolicy(policyFile);
  if (policy?.kind === 'refused') return policy;
  const opened = await openStore(store, { applicationName: 'latchkey-cli', log, running: 'join' });
  if (opened.kind === 'refused') return opened;
  const { database, close } = opened.value;
  try {
    const problem = await askSchema(database);
    if (problem !== undefined) {
      await close();
      return refusal('conflict', problem);
    }
  } catch (error) {
    await close();
    return refusal('conflict', `The database did not answer: ${messageOf(error)}`);
  }
  return {
    kind: 'ok',
    value: {
      accounts: createAccounts(database, new PepperKeyring(peppers)),
      policy: policy?.value,
      actor: `cli:${userInfo().username}`,
      staleWindowMs,
      sleep,
      close,
    },
  };
}

async function readPolicy(file: string): Promise<Result<FilePolicy>> {
  const content = await processTerminal.read(file, POLICY_BYTES_MAX);
  if (content.kind === 'refused') return content;
  const { policy, errors } = checkPolicyText(content.value);
  if (policy !== undefined) return { kind: 'ok', value: policy };
  const lines = errors.map((problem) => `${file}:${formatProblem(problem)}`);
  return refusal('invalid', `The policy has errors.\n${lines.join('\n')}`);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
