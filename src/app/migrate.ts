import { type Result, refusal } from '../accounts/result.ts';
import { createReply } from '../cli/output.ts';
import type { Flags, Terminal } from '../cli/ports.ts';
import { type Environment, readCommandConfig } from '../config/read-config.ts';
import type { StoreConfig } from '../config/serve-config.ts';
import type { PostgresLog } from '../postgres/log.ts';
import { type Migrated, migrate } from '../postgres/migrate.ts';
import { openStore } from './store.ts';
import { storeProblem } from './store-problem.ts';

interface Surroundings {
  readonly terminal: Terminal;
  readonly environment: Environment;
  readonly log: PostgresLog;
}

/** Brings the schema up to date. Gives the exit code. */
export async function runMigrate(flags: Flags, around: Surroundings): Promise<number> {
  const reply = createReply(around.terminal, flags);
  const reading = readCommandConfig(flags, around.environment);
  if (reading.kind === 'invalid') {
    return reply.refuse(refusal('invalid', reading.problems.join('\n')));
  }
  const migrated = await migrateStore(reading.config.store, around.log);
  if (migrated.kind === 'refused') return reply.refuse(migrated);
  const { applied, missingRoles } = migrated.value;
  for (const role of missingRoles) {
    reply.note(
      `latchkey: the database role ${role} does not exist and could not be created; see docs/postgres.md`,
    );
  }
  return reply.tell(
    { applied, missingRoles },
    applied.length === 0 ? ['The schema is up to date.'] : applied.map((name) => `applied ${name}`),
  );
}

async function migrateStore(store: StoreConfig, log: PostgresLog): Promise<Result<Migrated>> {
  try {
    if (store.kind === 'database') {
      // Migrations need one connection for all: a pooler that changes it in between would lose the lock.
      return { kind: 'ok', value: await migrate(store.listenUrl ?? store.url, { log }) };
    }
    const applicationName = 'latchkey-migrate';
    const opened = await openStore(store, { applicationName, log, running: 'join' });
    if (opened.kind === 'refused') return opened;
    try {
      // An embedded server that was started just now is up to date; one that runs may be of an older latchkey.
      return { kind: 'ok', value: await migrate(opened.value.url, { log }) };
    } finally {
      await opened.value.close();
    }
  } catch (error) {
    const explained = storeProblem(error);
    if (explained === undefined) throw error;
    return explained;
  }
}
