import type { Flags, Terminal } from '../cli/ports.ts';
import { type Environment, readServeConfig } from '../config/read-config.ts';
import { stopOnSignals } from '../lifecycle.ts';
import { openLogSink } from '../telemetry/logger.ts';
import { startServer } from './server.ts';

interface Surroundings {
  readonly terminal: Terminal;
  readonly environment: Environment;
}

/** Serves until it is told to stop. Gives the exit code: 2 for a configuration that cannot be, 1 for a start that failed. */
export async function runServe(
  flags: Flags,
  { terminal, environment }: Surroundings,
): Promise<number> {
  const reading = readServeConfig(flags, environment);
  if (reading.kind === 'invalid') {
    for (const problem of reading.problems) terminal.err(`latchkey: ${problem}`);
    return 2;
  }
  for (const warning of reading.warnings) terminal.err(`latchkey: warning: ${warning}`);
  const started = await startServer(reading.config, {
    openSink: (onDropped) => openLogSink(STANDARD_OUTPUT, onDropped),
  });
  if (started.kind === 'refused') {
    for (const line of started.message.split('\n')) terminal.err(`latchkey: ${line}`);
    return 1;
  }
  const server = started.value;
  process.on('SIGHUP', () => void server.reloadPolicy());
  return new Promise((exit) => {
    stopOnSignals(
      {
        ...server.lifecycle,
        stop: (reason) => server.stop(reason),
      },
      {
        signals: process,
        // A second signal must not wait for anything; a first one lets the program end by itself.
        exit: (code) => (code >= SIGNALLED ? process.exit(code) : exit(code)),
      },
    );
  });
}

const STANDARD_OUTPUT = 1;

/** Exit codes from here on are signals', as shells have it. */
const SIGNALLED = 128;
