#!/usr/bin/env node
import { createRuntime } from './app/runtime.ts';
import { runCommandLine } from './cli/program.ts';

process.exitCode = await runCommandLine(process.argv.slice(2), createRuntime());
