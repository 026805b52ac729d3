import type { Flags, Terminal } from '../cli/ports.ts';
import type { Environment } from '../config/read-config.ts';
import { type StopReport, stopOnSignals } from '../lifecycle.ts';
import { openLogSink } from '../telemetry/logger.ts';
import { readCheckedServeConfig } from './read-serve-config.ts';
import { type RunningServer, startServer } from './server.ts';

interface Surroundings {
  readonly terminal: Terminal;
  readonly environment: Environment;
}

/** Serves until it is told to stop. Gives the exit code: 2 for a configuration that cannot be, 1 for a start that failed. */
export async function runServe(
  flags: Flags,
  { terminal, environment }: Surroundings,
): Promise<number> {
  const reading = readCheckedServeConfig(flags, environment);
  if (reading.kind === 'invalid') {
    for (const problem of reading.problems) terminal.err(`latchkey: ${problem}`);
    return 2;
  }
  for (const warning of reading.warnings) terminal.err(`latchkey: warning: ${warning}`);
  const starting = startServer(reading.config, {
    openSink: (onDropped) => openLogSink(STANDARD_OUTPUT, onDropped),
  });
  // From here on, not from the end of the start: as process 1 of a container we would not even notice a signal that
  // nobody listens to, and go on serving until we are killed.
  const stopped = new Promise<number>((exit) => {
    stopOnSignals(
      { stop: (reason) => stopOnceStarted(starting, reason) },
      {
        signals: process,
        // A second signal must not wait for anything; a first one lets the program end by itself.
        exit: (code) => (code >= SIGNALLED ? process.exit(code) : exit(code)),
      },
    );
  });
  process.on('SIGHUP', () => void reloadOnceStarted(starting));
  const started = await starting;
  if (started.kind === 'ok') return Promise.race([stopped, stopWhenLost(started.value, terminal)]);
  for (const line of started.message.split('\n')) terminal.err(`latchkey: ${line}`);
  return 1;
}

async function stopWhenLost(server: RunningServer, terminal: Terminal): Promise<number> {
  const problem = await server.lost;
  terminal.err(`latchkey: ${problem} Stopping.`);
  await server.stop(problem);
  return 1;
}

type Starting = ReturnType<typeof startServer>;

/** A start does not take long, and stops by itself when it fails. */
async function stopOnceStarted(starting: Starting, reason: string): Promise<StopReport> {
  const started = await starting;
  return started.kind === 'ok' ? started.value.stop(reason) : { phases: [], exitCode: 1 };
}

async function reloadOnceStarted(starting: Starting): Promise<void> {
  const started = await starting;
  if (started.kind === 'ok') await started.value.reload();
}

const STANDARD_OUTPUT = 1;

/** Exit codes from here on are signals', as shells have it. */
const SIGNALLED = 128;
