import { userInfo } from 'node:os';
import { type Result, refusal } from '../accounts/result.ts';
import type { Flags, OpenAccounts } from '../cli/ports.ts';
import { type Environment, readCommandConfig } from '../config/read-config.ts';
import type { StoreConfig } from '../config/serve-config.ts';
import type { PostgresLog } from '../postgres/log.ts';
import { PepperKeyring } from '../secrets/pepper-keyring.ts';
import { createAccounts } from './accounts.ts';
import { askSchema } from './schema-standing.ts';
import { type OpenStore, openStore } from './store.ts';
import { storeProblem } from './store-problem.ts';
import { sleep } from './system.ts';

/** The store for one command: what it writes is on record under the name of whoever runs it. */
export async function openAccounts(
  flags: Flags,
  { environment, log }: { readonly environment: Environment; readonly log: PostgresLog },
): Promise<Result<OpenAccounts>> {
  const reading = readCommandConfig(flags, environment);
  if (reading.kind === 'invalid') return refusal('invalid', reading.problems.join('\n'));
  const { store, peppers, staleWindowMs } = reading.config;
  const opened = await openMigrated(store, log);
  if (opened.kind === 'refused') return opened;
  const { database, close } = opened.value;
  return {
    kind: 'ok',
    value: {
      accounts: createAccounts(database, new PepperKeyring(peppers)),
      actor: actorName(),
      ...{ staleWindowMs, sleep, close, explain: storeProblem },
    },
  };
}

/** A store that answers, with a schema that serves this binary. */
async function openMigrated(store: StoreConfig, log: PostgresLog): Promise<Result<OpenStore>> {
  let opened: Result<OpenStore> | undefined;
  let problem: string | undefined;
  try {
    opened = await openStore(store, { applicationName: 'latchkey-cli', log, running: 'join' });
    if (opened.kind === 'refused') return opened;
    problem = await askSchema(opened.value.database);
  } catch (error) {
    if (opened?.kind === 'ok') await opened.value.close();
    const explained = storeProblem(error);
    if (explained === undefined) throw error;
    return explained;
  }
  if (problem === undefined) return opened;
  await opened.value.close();
  return refusal('conflict', problem);
}

/** A container may run as a user number that has no name. */
function actorName(): string {
  try {
    return `cli:${userInfo().username}`;
  } catch {
    return `cli:uid-${process.getuid?.() ?? 'unknown'}`;
  }
}
