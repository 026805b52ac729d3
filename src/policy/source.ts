import { hash } from 'node:crypto';
import { type CompileResult, compilePolicy, type FilePolicy } from './compile.ts';
import { fingerprint, type PolicyFileReading, readPolicyFile } from './policy-file.ts';
import type { PolicyProblem } from './problem.ts';

export interface PolicySourceOptions {
  readonly path: string;
  /** Called for every change of state, the first load included. Must not throw. */
  readonly onEvent: (event: PolicyEvent) => void;
  /** How the file is looked at again and again; tests pass their own. Default: a timer. */
  readonly every?: Every;
  /** What tells one state of the file from another without reading it. Default: `fingerprint`. */
  readonly lookAt?: (path: string) => Promise<string>;
}

export type PolicyEvent =
  /** In force from now on. */
  | {
      readonly kind: 'loaded';
      readonly sha256: string;
      readonly generation: number;
      readonly warnings: readonly PolicyProblem[];
    }
  /** The policy before it stays in force. */
  | { readonly kind: 'rejected'; readonly errors: readonly PolicyProblem[] }
  /** After a rejection, the file is again the policy that is in force: nothing was swapped. */
  | { readonly kind: 'restored'; readonly sha256: string; readonly generation: number };

export type ReloadOutcome = PolicyEvent | { readonly kind: 'unchanged' };

/** The policy in force, kept up with its file. */
export interface PolicySource {
  /** The policy in force. Take it once per request: the next call may give another. */
  readonly current: () => FilePolicy;
  /** Reads the file now, whatever its looks (SIGHUP). */
  readonly reload: () => Promise<ReloadOutcome>;
  /** Stops looking at the file; resolves when no look is under way. */
  readonly close: () => Promise<void>;
}

export type PolicySourceStart =
  | { readonly kind: 'started'; readonly source: PolicySource }
  | { readonly kind: 'rejected'; readonly errors: readonly PolicyProblem[] };

/** Runs `work` again and again, never twice at once, until the returned function is called. */
export type Every = (intervalMs: number, work: () => Promise<void>) => () => void;

/**
 * The file is looked at by polling, not by fs.watch: notifications do not cross network file systems and bind mounts,
 * stop at a replaced inode, and say nothing about a link further up. A look is a realpath and a stat.
 */
const LOOK_INTERVAL_MS = 250;
/** A file that changes at every look is read after all, finished or not: in a second at the latest. */
const UNSETTLED_LOOKS_MAX = 3;
/** Two writes within one tick of a file system's clock look the same: every five seconds the file is read anyway. */
const SAME_LOOKS_MAX = 20;

/** Loads the policy and follows its file. A first policy with any error is told, and nothing is started. */
export async function createPolicySource(options: PolicySourceOptions): Promise<PolicySourceStart> {
  const { path, onEvent, every = everyByTimer, lookAt = fingerprint } = options;
  // Taken before the read: a change in between shows as a different look.
  const firstLook = await lookAt(path);
  const file = await readPolicyFile(path);
  const first = compileReading(file, 1);
  if (first.kind === 'rejected') return first;
  const state: State = {
    path,
    onEvent,
    lookAt,
    policy: first.policy,
    readLook: firstLook,
    readDigest: digestOf(file),
    lastLook: firstLook,
    unsettledLooks: 0,
    sameLooks: 0,
    isRejected: false,
  };
  onEvent(loadedEvent(first));
  // One at a time: a look and a reload that overlap could put the older text in force last.
  let turn: Promise<unknown> = Promise.resolve();
  const inTurn = <Result>(work: () => Promise<Result>): Promise<Result> => {
    const result = turn.then(work);
    turn = result.catch(() => undefined);
    return result;
  };
  const stop = every(LOOK_INTERVAL_MS, () => inTurn(() => look(state)));
  const source: PolicySource = {
    current: () => state.policy,
    reload: () => inTurn(() => reread(state, { isAsked: true })),
    close: async () => {
      stop();
      await turn;
    },
  };
  return { kind: 'started', source };
}

interface State {
  readonly path: string;
  readonly onEvent: (event: PolicyEvent) => void;
  readonly lookAt: (path: string) => Promise<string>;
  policy: FilePolicy;
  /** The look of the file when it was last read. */
  readLook: string;
  /** What was read then. */
  readDigest: string;
  lastLook: string;
  /** Looks in a row that differed from `readLook`, and that did not. */
  unsettledLooks: number;
  sameLooks: number;
  isRejected: boolean;
}

/** Reads the file if it has changed and lies still: two looks in a row are the same, so no writer is at work. */
async function look(state: State): Promise<void> {
  const now = await state.lookAt(state.path);
  const isSettled = now === state.lastLook;
  state.lastLook = now;
  if (now === state.readLook) {
    state.unsettledLooks = 0;
    state.sameLooks += 1;
    if (state.sameLooks > SAME_LOOKS_MAX) await reread(state);
    return;
  }
  state.unsettledLooks += 1;
  if (isSettled || state.unsettledLooks > UNSETTLED_LOOKS_MAX) await reread(state);
}

/** Reads the file. Whoever asked is told of its faults again; a mere look tells them once. */
async function reread(state: State, { isAsked = false } = {}): Promise<ReloadOutcome> {
  state.readLook = await state.lookAt(state.path);
  state.lastLook = state.readLook;
  state.unsettledLooks = 0;
  state.sameLooks = 0;
  const file = await readPolicyFile(state.path);
  const digest = digestOf(file);
  if (digest === state.readDigest && !isAsked) return { kind: 'unchanged' };
  state.readDigest = digest;
  const { generation, sha256 } = state.policy;
  if (digest === sha256) {
    if (!state.isRejected) return { kind: 'unchanged' };
    state.isRejected = false;
    return announce(state, { kind: 'restored', sha256, generation });
  }
  const result = compileReading(file, generation + 1);
  state.isRejected = result.kind === 'rejected';
  if (result.kind === 'rejected') return announce(state, result);
  state.policy = result.policy;
  return announce(state, loadedEvent(result));
}

/** Of a readable file the SHA-256, as a policy carries it. */
function digestOf(file: PolicyFileReading): string {
  return file.kind === 'text' ? hash('sha256', file.text) : file.message;
}

function compileReading(file: PolicyFileReading, generation: number): CompileResult {
  switch (file.kind) {
    case 'text':
      try {
        return compilePolicy(file.text, generation);
      } catch (error) {
        // A bug that one file brings to light must not end a process that another policy keeps going.
        return rejected(`latchkey failed on this file: ${String(error)}. Please report it.`);
      }
    case 'unreadable':
      return rejected(file.message);
  }
}

function rejected(message: string): CompileResult {
  return { kind: 'rejected', errors: [{ line: 1, column: 1, path: '', message }] };
}

function announce(state: State, event: PolicyEvent): PolicyEvent {
  state.onEvent(event);
  return event;
}

function loadedEvent({
  policy,
  warnings,
}: Extract<CompileResult, { kind: 'compiled' }>): PolicyEvent {
  const { sha256, generation } = policy;
  return { kind: 'loaded', sha256, generation, warnings };
}

/** The next look begins an interval after the last one ended: a file system that hangs is not asked twice. */
const everyByTimer: Every = (intervalMs, work) => {
  let timer = setTimeout(run, intervalMs).unref();
  let isStopped = false;
  function run(): void {
    // A look reports what it finds as events; it fails only by a bug, which must end the process, not the looking.
    void work().then(() => {
      if (!isStopped) timer = setTimeout(run, intervalMs).unref();
    });
  }
  return () => {
    isStopped = true;
    clearTimeout(timer);
  };
};
