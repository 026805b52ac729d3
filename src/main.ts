#!/usr/bin/env node
import { createRuntime } from './app/runtime.ts';
import { outputsFlushed } from './app/terminal.ts';
import { EXIT } from './cli/ports.ts';
import { runCommandLine } from './cli/program.ts';

/** A connection that no goodbye gets through would keep a finished command from ending. */
const LINGER_MS = 2000;

const runtime = createRuntime();

const crash = (error: unknown): void => {
  runtime.tellInternalError(error);
  process.exit(EXIT.internal);
};
process.on('uncaughtException', crash);

try {
  process.exitCode = await runCommandLine(process.argv.slice(2), runtime);
  await outputsFlushed();
  setTimeout(() => process.exit(), LINGER_MS).unref();
} catch (error) {
  crash(error);
}
