import type { Digest } from '../model/ids.ts';
import type { CredentialKind, Fact, Need, UnavailableCause } from '../model/memory.ts';
import { ClientBudget, MISSES_AFTER_FAILURES } from './client-budget.ts';
import { Flight, FlightQueue } from './flight.ts';
import { type LoaderParts, type Loading, loadInto } from './loader.ts';
import { fullBucket, type TokenRate, takeToken } from './token-bucket.ts';

/** No client address takes more of the queue than this. */
const QUEUE_SHARE_OF_CLIENT = 1 / 4;

/** Whoever queued a load that has not begun by now has stopped waiting. */
const QUEUED_MS_MAX = 1_000;

/** An answer at the very deadline comes too late: it has to reach the caller, past a pause of the garbage collector. */
const ANSWER_MARGIN_MS = 20;

/** Less than this without an answer is no sign that the store is away. */
const SILENCE_MS_MIN = 50;

/** Refreshes that wait their turn. What finds no place asks again on a later hit. */
const REFRESHES_MAX = 64;

/** The follower keeps entries fresh, the TTL only backs it up: a hundred replicas then add 5,000 lookups a second at most. */
const REFRESH_RATE: TokenRate = { perSecond: 50, burst: 50 };

/** A caller may name any deadline; a delay beyond 2³¹−1 ms would fire at once. */
const TIMER_MS_MAX = 2_147_483_647;

const RETRY_AFTER_MS_MIN = 1_000;

export interface LookupsOptions {
  /**
   * Loads that run at once; one of them is kept free of refreshes where there are two or more. No more than the pool has
   * connections: loads beyond that would only wait there, unseen by the queue's bound.
   */
  readonly loadsMax: number;
  /** Loads that wait. At a millisecond or so each, 256 are an eighth of a second; who comes later is told so at once. */
  readonly queueMax: number;
  /** Keys that memory does not know, per client address: an office behind one address coming in, but not a guesser. */
  readonly missesPerClient: TokenRate;
}

export interface LookupsStats {
  readonly running: number;
  readonly queued: number;
  readonly queuedRefreshes: number;
  readonly isCircuitOpen: boolean;
}

type Unavailable = Extract<Fact, { kind: 'unavailable' }>;

/**
 * Fetches the facts that memory lacks: one load per credential however many ask, a bound on loads at once and on those that
 * wait, and before the queue a budget per client address. Hits never come here.
 */
export class Lookups {
  readonly #parts: LoaderParts;
  readonly #loadsMax: number;
  readonly #queueMax: number;
  readonly #budget: ClientBudget;
  readonly #budgetAfterFailures = new ClientBudget(MISSES_AFTER_FAILURES);
  readonly #refreshBudget;
  readonly #flights: Record<CredentialKind, Map<Digest, Flight>> = { api_key: new Map() };
  readonly #queue = new FlightQueue();
  readonly #refreshes = new FlightQueue();
  #running = 0;
  #isPumpDue = false;
  #lastAnswerMonoMs = Number.NEGATIVE_INFINITY;
  #lastFailed: Flight | undefined;

  constructor(parts: LoaderParts, options: LookupsOptions) {
    this.#parts = parts;
    this.#loadsMax = options.loadsMax;
    this.#queueMax = options.queueMax;
    this.#budget = new ClientBudget(options.missesPerClient);
    this.#refreshBudget = fullBucket(REFRESH_RATE, parts.clock().monoMs);
  }

  /** Settles by the caller's deadline; the load runs on and fills the cache. Never rejects. */
  resolve(need: Need, deadlineMonoMs: number): Promise<Fact> {
    const { credentialKind: kind, digest } = need;
    const flight = this.#flights[kind].get(digest) ?? this.#admit(need);
    if (!(flight instanceof Flight)) return Promise.resolve(flight);
    if (this.#queue.size < this.#queueMax && this.#refreshes.delete(flight)) {
      this.#queue.push(flight);
    }
    this.#pump();
    return this.#wait(flight, deadlineMonoMs);
  }

  /** Has the credential read again some time soon. Returns at once; gives way to whoever waits. */
  refresh(kind: CredentialKind, digest: Digest): void {
    const { monoMs } = this.#parts.clock();
    if (this.#flights[kind].has(digest) || this.#refreshes.size >= REFRESHES_MAX) return;
    if (takeToken(this.#refreshBudget, REFRESH_RATE, monoMs) > 0) return;
    this.#refreshes.push(this.#newFlight(kind, digest, monoMs));
    // Not now: this is called in the middle of a hit.
    if (this.#isPumpDue) return;
    this.#isPumpDue = true;
    this.#parts.schedule(() => {
      this.#isPumpDue = false;
      this.#pump();
    }, 0);
  }

  /**
   * The store has answered the follower. While the circuit is open, the lookup that failed last is made again: only a lookup
   * shows that lookups are answered, and the next request should not have to find out.
   */
  retryWhatFailed(): void {
    const { circuit, clock } = this.#parts;
    const failed = this.#lastFailed;
    if (failed === undefined || !circuit.isOpen || !circuit.admits(clock().monoMs)) return;
    this.refresh(failed.kind, failed.digest);
  }

  stats(): LookupsStats {
    return {
      running: this.#running,
      queued: this.#queue.size,
      queuedRefreshes: this.#refreshes.size,
      isCircuitOpen: this.#parts.circuit.isOpen,
    };
  }

  /** A new flight in the queue, or why there is none. What memory knew before is no guess and costs no budget. */
  #admit(need: Need): Flight | Fact {
    const { credentialKind: kind, digest, clientBucket } = need;
    const { cache, circuit, clock } = this.#parts;
    const { monoMs } = clock();
    if (!circuit.admits(monoMs)) return this.#unanswered(kind, digest);
    if (this.#queue.size >= this.#queueMax) return unavailable('overload', RETRY_AFTER_MS_MIN);
    const isGuess = !cache.has(kind, digest);
    if (isGuess) {
      const share = Math.max(1, this.#queueMax * QUEUE_SHARE_OF_CLIENT);
      if (this.#queue.countOf(clientBucket) >= share) {
        return unavailable('client_budget', RETRY_AFTER_MS_MIN);
      }
      const refusal = this.#spendBudget(need, monoMs);
      if (refusal !== undefined) return refusal;
    }
    const flight = this.#newFlight(kind, digest, monoMs);
    if (isGuess) flight.client = clientBucket;
    this.#queue.push(flight);
    return flight;
  }

  #spendBudget({ clientBucket, isAfterFailures }: Need, monoMs: number): Unavailable | undefined {
    if (isAfterFailures) {
      const slowMs = this.#budgetAfterFailures.take(clientBucket, monoMs);
      if (slowMs > 0) return unavailable('failures', slowMs);
    }
    const waitMs = this.#budget.take(clientBucket, monoMs);
    return waitMs > 0 ? unavailable('client_budget', waitMs) : undefined;
  }

  #newFlight(kind: CredentialKind, digest: Digest, monoMs: number): Flight {
    const flight = new Flight(kind, digest, monoMs);
    this.#flights[kind].set(digest, flight);
    return flight;
  }

  #wait(flight: Flight, deadlineMonoMs: number): Promise<Fact> {
    const patienceMs = deadlineMonoMs - ANSWER_MARGIN_MS - this.#parts.clock().monoMs;
    if (patienceMs === Number.POSITIVE_INFINITY) return flight.done;
    if (patienceMs <= 0) return Promise.resolve(this.#tooLate(flight));
    const delayMs = Math.min(patienceMs, TIMER_MS_MAX);
    return new Promise((resolve) => {
      const cancel = this.#parts.schedule(() => resolve(this.#tooLate(flight)), delayMs);
      void flight.done.then((fact) => {
        cancel();
        resolve(fact);
      });
    });
  }

  /** Starts what may start: waiting requests first, refreshes in what they leave. */
  #pump(): void {
    const refreshesAtOnce = Math.max(1, this.#loadsMax - 1);
    while (this.#running < this.#loadsMax) {
      const isRefreshDue = this.#running < refreshesAtOnce;
      const flight = this.#queue.shift() ?? (isRefreshDue ? this.#refreshes.shift() : undefined);
      if (flight === undefined) return;
      const { monoMs } = this.#parts.clock();
      if (!this.#parts.circuit.admits(monoMs)) {
        this.#land(flight, this.#unanswered(flight.kind, flight.digest));
      } else if (monoMs - flight.queuedAtMs > QUEUED_MS_MAX) {
        this.#land(flight, this.#tooLate(flight));
      } else {
        void this.#run(flight);
      }
    }
  }

  async #run(flight: Flight): Promise<void> {
    this.#running += 1;
    flight.state = 'running';
    const loading = await loadInto(this.#parts, flight.kind, flight.digest);
    this.#running -= 1;
    this.#land(flight, this.#factOf(loading, flight));
    this.#pump();
  }

  #land(flight: Flight, fact: Fact): void {
    this.#flights[flight.kind].delete(flight.digest);
    flight.settle(fact);
  }

  #factOf(loading: Loading, flight: Flight): Fact {
    const { kind, digest } = flight;
    if (loading.kind === 'failed') {
      this.#lastFailed = flight;
      return this.#unanswered(kind, digest);
    }
    this.#lastFailed = undefined;
    this.#lastAnswerMonoMs = this.#parts.clock().monoMs;
    if (loading.kind === 'unsettled') return unavailable('store', RETRY_AFTER_MS_MIN);
    return loading;
  }

  /** The store did not answer: what is only suspect may serve. */
  #unanswered(kind: CredentialKind, digest: Digest): Fact {
    const { cache, circuit, clock } = this.#parts;
    const now = clock();
    const credential = cache.lastResort(kind, digest, now);
    if (credential !== undefined) return { kind: 'found', credential };
    return unavailable('store', Math.max(RETRY_AFTER_MS_MIN, circuit.pauseMs(now.monoMs)));
  }

  /**
   * The caller's time is up. Only where the store has answered nobody meanwhile may a suspect credential serve: a crowd of
   * guesses must not keep one from being checked.
   */
  #tooLate({ kind, digest, queuedAtMs, state }: Flight): Fact {
    const silentMs = this.#parts.clock().monoMs - queuedAtMs;
    if (this.#lastAnswerMonoMs < queuedAtMs && silentMs >= SILENCE_MS_MIN) {
      return this.#unanswered(kind, digest);
    }
    return unavailable(state === 'running' ? 'store' : 'overload', RETRY_AFTER_MS_MIN);
  }
}

function unavailable(cause: UnavailableCause, retryAfterMs: number): Unavailable {
  return { kind: 'unavailable', cause, retryAfterMs };
}
