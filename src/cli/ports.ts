import type { Accounts } from '../accounts/accounts.ts';
import type { Result } from '../accounts/result.ts';
import type { FilePolicy } from '../policy/compile.ts';

/** What a command may do to the terminal. */
export interface Terminal {
  /** A line on standard output: the result, fit for a pipe. */
  out(line: string): void;
  /** A line on standard error: everything that is no result. */
  err(line: string): void;
  /** A file's text, or standard input's for `-`; refused beyond `bytesMax`. */
  read(path: string, bytesMax: number): Promise<Result<string>>;
}

/** Options as they were typed; what they mean is config's matter. */
export type Flags = Readonly<Record<string, string | boolean | undefined>>;

export interface OpenAccounts {
  readonly accounts: Accounts;
  /** Says what new keys look like and which plans there are. `undefined` where no policy was named. */
  readonly policy: FilePolicy | undefined;
  /** Who is at the keyboard, for the audit log. */
  readonly actor: string;
  /** The replicas' stale window, as far as this configuration knows it. */
  readonly staleWindowMs: number;
  readonly sleep: (ms: number) => Promise<void>;
  close(): Promise<void>;
}

export interface PolicyFinding {
  readonly line: number;
  readonly column: number;
  readonly path: string;
  readonly message: string;
}

/** The rest of the program, as the command line sees it. */
export interface Runtime {
  readonly terminal: Terminal;
  readonly version: string;
  /** These run until they are stopped; the number is the exit code. */
  serve(flags: Flags): Promise<number>;
  demo(flags: Flags): Promise<number>;
  migrate(flags: Flags): Promise<number>;
  /** All problems of the configuration at once, or what it comes to, without secrets. */
  checkConfig(
    flags: Flags,
  ):
    | { readonly kind: 'ok'; readonly summary: Readonly<Record<string, unknown>> }
    | { readonly kind: 'invalid'; readonly problems: readonly string[] };
  openAccounts(flags: Flags): Promise<Result<OpenAccounts>>;
}

/** The exit codes of every command. */
export const EXIT = { ok: 0, failed: 1, usage: 2 } as const;

/** How a command tells its exit code. */
export type Finish = (exitCode: number) => void;
