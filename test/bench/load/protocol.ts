import type { Target } from './connection.ts';
import type { FlowResult, FlowSpec } from './flow.ts';

/** What the process of the generator is asked to do, one thing at a time. */
export type Command =
  /** Reads a key table; it stays until another one is read. */
  { readonly kind: 'keys'; readonly path: string } | RunCommand;

export interface RunCommand {
  readonly kind: 'run';
  readonly target: Target;
  readonly flows: readonly FlowSpec[];
  /** Not measured. */
  readonly warmupMs: number;
  /** `keys-used`: until the keys of the flow have all been asked for once. */
  readonly measured: { readonly ms: number } | 'keys-used';
  /** Whose CPU time is taken over the measured time. */
  readonly pids: readonly number[];
}

export interface RunResult {
  readonly elapsedMs: number;
  readonly flows: readonly FlowResult[];
  /** By place in `pids`; where the system does not tell, `undefined`. */
  readonly cpuMs: readonly (number | undefined)[];
  /** The generator's own share of a core, from 0 to 1: near 1 it was the bottleneck. */
  readonly generatorBusy: number;
  /** Processors that were busy with neither of them, such as 0.5; `undefined` where the system does not tell. */
  readonly othersBusy: number | undefined;
}

export type Message =
  /** The warm-up is over. */
  | { readonly kind: 'measuring' }
  | { readonly kind: 'ready' }
  | { readonly kind: 'done'; readonly result: RunResult | undefined }
  | { readonly kind: 'failed'; readonly message: string };
