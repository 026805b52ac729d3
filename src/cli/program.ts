import { Command, CommanderError } from 'commander';
import { addConfigCommand } from './config-command.ts';
import { addHelpCommand } from './help-command.ts';
import { optionText } from './help-text.ts';
import { addKeysCommand } from './keys-command.ts';
import { addOrgsCommand } from './orgs-command.ts';
import { addPolicyCommand } from './policy-command.ts';
import { EXIT, type Finish, type Runtime } from './ports.ts';
import { addServerCommands } from './server-commands.ts';
import { tellUsageErrors } from './usage-errors.ts';
import { addUsersCommand } from './users-command.ts';

/** Runs one command line (without the program's own name) and gives its exit code. */
export async function runCommandLine(argv: readonly string[], runtime: Runtime): Promise<number> {
  let exitCode: number = EXIT.ok;
  const finish: Finish = (code) => {
    exitCode = code;
  };
  const program = buildProgram(runtime, finish);
  tellUsageErrors(program, runtime.terminal, argv);
  try {
    await program.parseAsync([...argv], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // Help and version end here as well, with 0; whatever else commander refuses is a matter of usage.
    return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  }
  return exitCode;
}

/** All commands with their options; the documentation is held against this. */
export function buildProgram(runtime: Runtime, finish: Finish): Command {
  const { terminal } = runtime;
  const lines = (text: string): string[] => text.replace(/\n$/, '').split('\n');
  const program = new Command('latchkey')
    .description('API keys, scopes and rate limits for any service behind Envoy.')
    .version(runtime.version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .configureHelp({ optionDescription: optionText })
    .configureOutput({
      writeOut: (text) => lines(text).forEach(terminal.out),
      writeErr: (text) => lines(text).forEach(terminal.err),
      // Told by `tellUsageErrors`, which knows of which command they are.
      outputError: () => {},
    })
    .addHelpText('after', EXIT_CODES);
  addServerCommands(program, runtime, finish);
  addConfigCommand(program, runtime, finish);
  addPolicyCommand(program, runtime, finish);
  addOrgsCommand(program, runtime, finish);
  addUsersCommand(program, runtime, finish);
  addKeysCommand(program, runtime, finish);
  addHelpCommand(program);
  return program;
}

const EXIT_CODES = `
Exit codes: 0 done; 1 not done, or not found; 2 the command line or the
configuration is wrong; 70 a bug. See docs/cli.md. In a checkout,
npm run -s latchkey -- keys list stands for latchkey keys list.`;
