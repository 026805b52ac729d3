import { Agent, request } from 'node:http';

/** Requests of many clients, one after the other on connections that are kept. */
export interface SteadyLoad {
  /** Answers so far. */
  answered(): number;
  /** What did not get the status that was wanted: the status, or the error, and how often. */
  failures(): ReadonlyMap<string, number>;
  stop(): Promise<void>;
}

export interface SteadyLoadOptions {
  readonly port: number;
  readonly clients: number;
  /** The header of the n-th request. */
  readonly apiKey: (count: number) => string;
  readonly path: string;
}

const TIMEOUT_MS = 15_000;

/** Every request is meant to get 200. */
export function startSteadyLoad(options: SteadyLoadOptions): SteadyLoad {
  const failures = new Map<string, number>();
  let answered = 0;
  let count = 0;
  let isOver = false;
  const clients = Array.from({ length: options.clients }, async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    while (!isOver) {
      count += 1;
      const outcome = await send(options, agent, options.apiKey(count));
      answered += 1;
      if (outcome !== '200') failures.set(outcome, (failures.get(outcome) ?? 0) + 1);
    }
    agent.destroy();
  });
  return {
    answered: () => answered,
    failures: () => failures,
    async stop() {
      isOver = true;
      await Promise.all(clients);
    },
  };
}

/** The status, or what went wrong. */
function send({ port, path }: SteadyLoadOptions, agent: Agent, apiKey: string): Promise<string> {
  return new Promise((resolve) => {
    const sent = request(
      { host: '127.0.0.1', port, path, agent, headers: { 'x-api-key': apiKey } },
      (response) => {
        response.resume();
        response.once('end', () => resolve(String(response.statusCode)));
        response.once('error', (error) => resolve(error.message));
      },
    );
    sent.setTimeout(TIMEOUT_MS, () => sent.destroy(new Error('no answer')));
    sent.once('error', (error) => resolve(error.message));
    sent.end();
  });
}
