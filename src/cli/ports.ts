import type { Accounts } from '../accounts/accounts.ts';
import type { Refusal, Result } from '../accounts/result.ts';
import type { FilePolicy } from '../policy/compile.ts';

/** What a command may do to the terminal. */
export interface Terminal {
  /** A line on standard output: the result, fit for a pipe. Nothing in it drives a terminal. */
  out(line: string): void;
  /** A line on standard error: everything that is no result. Nothing in it drives a terminal. */
  err(line: string): void;
  /** A JSON document on standard output, on one line. */
  json(value: unknown): void;
  /** A file's text, or standard input's for `-`; refused beyond `bytesMax`. */
  read(path: string, bytesMax: number): Promise<Result<string>>;
}

/** Options as they were typed; what they mean is config's matter. */
export type Flags = Readonly<Record<string, string | boolean | undefined>>;

export interface OpenAccounts {
  readonly accounts: Accounts;
  /** Who is at the keyboard, for the audit log. */
  readonly actor: string;
  /** The replicas' stale window, as far as this configuration knows it. */
  readonly staleWindowMs: number;
  readonly sleep: (ms: number) => Promise<void>;
  /** What an error of the store comes to, for people; `undefined`: it is none, but a bug. */
  explain(error: unknown): Refusal | undefined;
  close(): Promise<void>;
}

/** What `config check` found. */
export type ConfigCheck =
  | {
      readonly kind: 'ok';
      /** Text by variable, without secrets. */
      readonly summary: Readonly<Record<string, string>>;
      readonly warnings: readonly string[];
    }
  | { readonly kind: 'invalid'; readonly problems: readonly string[] };

/** The rest of the program, as the command line sees it. */
export interface Runtime {
  readonly terminal: Terminal;
  readonly version: string;
  /** These run until they are stopped; the number is the exit code. */
  serve(flags: Flags): Promise<number>;
  demo(flags: Flags): Promise<number>;
  migrate(flags: Flags): Promise<number>;
  checkConfig(flags: Flags): ConfigCheck;
  /** The policy that the flags or the environment name; `undefined` where they name none. */
  readPolicy(flags: Flags): Promise<Result<FilePolicy | undefined>>;
  openAccounts(flags: Flags): Promise<Result<OpenAccounts>>;
}

/** The exit codes of every command. 70 is EX_SOFTWARE of sysexits(3): a bug of latchkey's own. */
export const EXIT = { ok: 0, failed: 1, usage: 2, internal: 70 } as const;

/** How a command tells its exit code. */
export type Finish = (exitCode: number) => void;
