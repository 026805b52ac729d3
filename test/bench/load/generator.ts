import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { FlowResult } from './flow.ts';
import type { Command, Message, RunCommand, RunResult } from './protocol.ts';

const WORKER = fileURLToPath(new URL('./worker.ts', import.meta.url));

/** A young generation that is rarely full, collected by the one thread that there is a processor for. */
const NODE_FLAGS = ['--single-threaded-gc', '--max-semi-space-size=64'];

/** The load generator in its own process. */
export class LoadGenerator {
  readonly #child: ChildProcess;
  #onMessage: (message: Message) => void = () => {};
  #onEnd: (error: Error) => void = () => {};

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.on('message', (message: Message) => this.#onMessage(message));
    child.on('exit', (code) => this.#onEnd(new Error(`the load generator ended with ${code}`)));
  }

  /** `prefix`: what goes before its command line. */
  static async start(prefix: readonly string[]): Promise<LoadGenerator> {
    const [command = '', ...args] = [...prefix, process.execPath, ...NODE_FLAGS, WORKER];
    const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    process.once('exit', () => child.kill('SIGKILL'));
    await once(child, 'message');
    return new LoadGenerator(child);
  }

  async useKeys(path: string): Promise<void> {
    await this.#ask({ kind: 'keys', path }, () => {});
  }

  /** @throws Error when any request got no proper answer: figures of failures mean nothing. */
  async run(command: Omit<RunCommand, 'kind'>, onMeasuring = () => {}): Promise<RunResult> {
    const result = await this.runAnyhow(command, onMeasuring);
    for (const flow of result.flows) refuseBroken(flow);
    return result;
  }

  /** As `run`, for what is not measured: requests may fail. */
  async runAnyhow(command: Omit<RunCommand, 'kind'>, onMeasuring = () => {}): Promise<RunResult> {
    const result = await this.#ask({ kind: 'run', ...command }, onMeasuring);
    if (result === undefined) throw new Error('the load generator gave no result');
    return result;
  }

  async stop(): Promise<void> {
    this.#onEnd = () => {};
    if (this.#child.exitCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.disconnect();
    await exited;
  }

  #ask(command: Command, onMeasuring: () => void): Promise<RunResult | undefined> {
    return new Promise((resolve, reject) => {
      this.#onEnd = reject;
      this.#onMessage = (message) => {
        if (message.kind === 'measuring') onMeasuring();
        if (message.kind === 'done') resolve(message.result);
        if (message.kind === 'failed') reject(new Error(message.message));
      };
      this.#child.send(command);
    });
  }
}

function refuseBroken({ name, allowed, refused, broken, failure }: FlowResult): void {
  if (broken === 0 && failure === undefined) return;
  const others = `${allowed} were allowed, ${refused} refused`;
  const why = failure === undefined ? '' : `: ${failure}`;
  throw new Error(`${name}: ${broken} requests got no proper answer (${others})${why}`);
}
