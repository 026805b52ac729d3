import type { Runtime } from '../cli/ports.ts';
import { environment } from '../config/environment.ts';
import { readServeConfig } from '../config/read-config.ts';
import type { PostgresLog } from '../postgres/log.ts';
import { runDemo } from './demo.ts';
import { runMigrate } from './migrate.ts';
import { openAccounts } from './open-accounts.ts';
import { runServe } from './serve.ts';
import { processTerminal } from './terminal.ts';
import { packageVersion } from './version.ts';

/** The rest of the program, for the command line. */
export function createRuntime(): Runtime {
  const terminal = processTerminal;
  // Commands tell their own outcome; of the store only what is wrong is worth a line.
  const log: PostgresLog = (level, message) => {
    if (level === 'warn' || level === 'error') terminal.err(`latchkey: ${message}`);
  };
  return {
    terminal,
    version: packageVersion(),
    serve: (flags) => runServe(flags, { terminal, environment: environment() }),
    demo: (flags) => runDemo(flags, { terminal, environment: environment() }),
    migrate: (flags) => runMigrate(flags, { terminal, environment: environment(), log }),
    checkConfig: (flags) => readServeConfig(flags, environment()),
    openAccounts: (flags) => openAccounts(flags, { environment: environment(), log }),
  };
}
