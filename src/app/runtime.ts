import type { Runtime } from '../cli/ports.ts';
import { environment } from '../config/environment.ts';
import type { PostgresLog } from '../postgres/log.ts';
import { internalErrorLines } from './internal-error.ts';
import { readCheckedServeConfig } from './read-serve-config.ts';
import { createProcessTerminal } from './terminal.ts';
import { packageVersion } from './version.ts';

export interface ProcessRuntime extends Runtime {
  /** Tells a bug. */
  tellInternalError(error: unknown): void;
}

/**
 * The rest of the program, for the command line. What a command needs is loaded when it runs: a list of keys does not
 * wait for a gRPC server.
 */
export function createRuntime(): ProcessRuntime {
  const terminal = createProcessTerminal();
  // Commands tell their own outcome; of the store only what is wrong is worth a line.
  const log: PostgresLog = (level, message) => {
    if (level === 'warn' || level === 'error') terminal.err(`latchkey: ${message}`);
  };
  const around = () => ({ terminal, environment: environment(), log });
  return {
    terminal,
    version: packageVersion(),
    serve: async (flags) => (await import('./serve.ts')).runServe(flags, around()),
    demo: async (flags) => (await import('./demo.ts')).runDemo(flags, around()),
    migrate: async (flags) => (await import('./migrate.ts')).runMigrate(flags, around()),
    checkConfig: (flags) => readCheckedServeConfig(flags, environment()),
    readPolicy: async (flags) =>
      (await import('./read-policy.ts')).readPolicy(flags, environment()),
    openAccounts: async (flags) =>
      (await import('./open-accounts.ts')).openAccounts(flags, around()),
    tellInternalError(error) {
      for (const line of internalErrorLines(error, environment())) terminal.err(line);
    },
  };
}
