import type { Digest } from '../model/ids.ts';
import type { CredentialKind, Fact } from '../model/memory.ts';

/** One load under way for everybody who wants its credential. */
export class Flight {
  readonly kind: CredentialKind;
  readonly digest: Digest;
  /** Whose share of the queue it takes; `undefined`: nobody's, memory knew the credential. */
  client: string | undefined;
  queuedAtMs: number;
  state: 'queued' | 'running' = 'queued';
  readonly done: Promise<Fact>;
  readonly settle: (fact: Fact) => void;

  constructor(kind: CredentialKind, digest: Digest, queuedAtMs: number) {
    this.kind = kind;
    this.digest = digest;
    this.client = undefined;
    this.queuedAtMs = queuedAtMs;
    let settle: (fact: Fact) => void = () => {};
    this.done = new Promise((resolve) => {
      settle = resolve;
    });
    this.settle = settle;
  }
}

/** Flights that wait their turn, oldest first, with each client's number of them. */
export class FlightQueue {
  readonly #flights = new Set<Flight>();
  readonly #byClient = new Map<string, number>();

  get size(): number {
    return this.#flights.size;
  }

  countOf(client: string): number {
    return this.#byClient.get(client) ?? 0;
  }

  push(flight: Flight): void {
    this.#flights.add(flight);
    if (flight.client !== undefined) {
      this.#byClient.set(flight.client, this.countOf(flight.client) + 1);
    }
  }

  shift(): Flight | undefined {
    for (const flight of this.#flights) {
      this.delete(flight);
      return flight;
    }
    return undefined;
  }

  delete(flight: Flight): boolean {
    if (!this.#flights.delete(flight)) return false;
    if (flight.client !== undefined) {
      const left = this.countOf(flight.client) - 1;
      if (left > 0) this.#byClient.set(flight.client, left);
      else this.#byClient.delete(flight.client);
    }
    return true;
  }
}
