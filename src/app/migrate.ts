import type { Flags, Terminal } from '../cli/ports.ts';
import { type Environment, readCommandConfig } from '../config/read-config.ts';
import { StoreUnavailableError } from '../model/change.ts';
import { ConnectionUrlError } from '../postgres/client.ts';
import { StoreFaultError } from '../postgres/errors.ts';
import type { PostgresLog } from '../postgres/log.ts';
import { type Migrated, migrate } from '../postgres/migrate.ts';
import { openStore } from './store.ts';

interface Surroundings {
  readonly terminal: Terminal;
  readonly environment: Environment;
  readonly log: PostgresLog;
}

/** Brings the schema up to date. Gives the exit code. */
export async function runMigrate(flags: Flags, around: Surroundings): Promise<number> {
  const { terminal, environment, log } = around;
  const reading = readCommandConfig(flags, environment);
  if (reading.kind === 'invalid') {
    for (const problem of reading.problems) terminal.err(`latchkey: ${problem}`);
    return 2;
  }
  const { store } = reading.config;
  try {
    if (store.kind === 'database') {
      // Migrations need one connection for all: a pooler that changes it in between would lose the lock.
      tell(await migrate(store.listenUrl ?? store.url, { log }), flags, terminal);
      return 0;
    }
    const opened = await openStore(store, {
      applicationName: 'latchkey-migrate',
      log,
      running: 'join',
    });
    if (opened.kind === 'refused') {
      terminal.err(`latchkey: ${opened.message}`);
      return 1;
    }
    await opened.value.close();
    tell({ applied: [], missingRoles: [] }, flags, terminal);
    return 0;
  } catch (error) {
    if (
      error instanceof StoreUnavailableError ||
      error instanceof StoreFaultError ||
      error instanceof ConnectionUrlError
    ) {
      terminal.err(`latchkey: ${error.message}`);
      return 1;
    }
    throw error;
  }
}

function tell({ applied, missingRoles }: Migrated, flags: Flags, terminal: Terminal): void {
  if (flags['json'] === true) {
    terminal.out(JSON.stringify({ applied, missingRoles }));
  } else if (applied.length === 0) {
    terminal.out('The schema is up to date.');
  } else {
    for (const name of applied) terminal.out(`applied ${name}`);
  }
  for (const role of missingRoles) {
    terminal.err(
      `latchkey: the database role ${role} does not exist and could not be created; see docs/postgres.md`,
    );
  }
}
