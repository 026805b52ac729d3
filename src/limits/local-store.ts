import type { Now } from '../model/clock.ts';
import type { Charge, LimitMemory, LimitReport, SpendResult } from '../model/limit-memory.ts';
import type { Limit } from '../model/plan.ts';
import { BucketTable, type BucketTableStats } from './bucket-table.ts';
import { ChargedRequests, fingerprintOf } from './charged-requests.ts';
import { type BucketState, type Meter, meterOf } from './meter.ts';

export type Partition = Charge['partition'];

/** Buckets per partition. About 200 bytes each once used, most of it the bucket's name. */
export interface PartitionSizes {
  /** Keys, users and organizations that have a limit running at one time: known ones, so a flood cannot make them up. */
  readonly identity: number;
  /** Addresses are anybody's to make up; beyond some number at a time, counting each apart stops nobody. */
  readonly address: number;
  /** Only addresses with failed attempts that are not yet forgiven. */
  readonly failure: number;
}

/** What a report says where no wait helps (cost above burst, quota 0): a year, since `Retry-After` must be a number. */
export const NEVER_MS = 365 * 24 * 3600 * 1000;

/**
 * The limits of this replica, in its memory: N replicas let through N times the quota.
 *
 * When a partition is full of buckets that are all being refilled, each new bucket makes the one forget its count that would
 * have been full soonest (see bucket-table.ts). For identities that means: only while more than the partition's size
 * of them are below their full burst at the same time, an identity can draw its burst again early, and it takes another
 * identity's request each time. The count of early evictions is a metric.
 */
export class LocalLimits implements LimitMemory {
  readonly #tables: Readonly<Record<Partition, BucketTable>>;
  readonly #meters = new WeakMap<Limit, Meter>();
  readonly #charged = new ChargedRequests();
  readonly #wallOffsetUs: number;

  /** `startedAt` fixes where windows begin on the calendar. */
  constructor(sizes: PartitionSizes, startedAt: Now) {
    this.#tables = {
      identity: new BucketTable(sizes.identity),
      address: new BucketTable(sizes.address),
      failure: new BucketTable(sizes.failure),
    };
    this.#wallOffsetUs = toUs(startedAt.wallMs) - toUs(startedAt.monoMs);
  }

  // biome-ignore lint/complexity/useMaxParams: the shape of the port LimitMemory.
  spend(
    charges: readonly Charge[],
    cost: number,
    now: Now,
    requestKey: string | undefined,
  ): SpendResult {
    const nowUs = toUs(now.monoMs);
    if (requestKey === undefined) return this.#spendOnce(charges, cost, nowUs);
    const request = fingerprintOf(requestKey, charges, cost);
    if (this.#charged.has(request, now.monoMs)) return this.#passAgain(charges, nowUs);
    const result = this.#spendOnce(charges, cost, nowUs);
    if (result.allowed) this.#charged.add(request);
    return result;
  }

  peek(charge: Charge, cost: number, now: Now): LimitReport {
    const nowUs = toUs(now.monoMs);
    return report(this.#look(charge, cost, nowUs), nowUs);
  }

  stats(): Readonly<Record<Partition, BucketTableStats>> {
    return {
      identity: this.#tables.identity.stats(),
      address: this.#tables.address.stats(),
      failure: this.#tables.failure.stats(),
    };
  }

  /** It was charged when Envoy asked for the first time. A refusal charged nothing, so that is simply asked again. */
  #passAgain(charges: readonly Charge[], nowUs: number): SpendResult {
    return {
      allowed: true,
      reports: charges.map((charge) => report(this.#look(charge, 0, nowUs), nowUs)),
    };
  }

  #spendOnce(charges: readonly Charge[], cost: number, nowUs: number): SpendResult {
    const looks = charges.map((charge) => this.#look(charge, cost, nowUs));
    const hindrance = longestWait(looks);
    if (hindrance === undefined) {
      return { allowed: true, reports: looks.map((look) => this.#charge(look, cost, nowUs)) };
    }
    const violated = report(hindrance, nowUs);
    const reports = looks.map((look) => (look === hindrance ? violated : report(look, nowUs)));
    return { allowed: false, reports, violated };
  }

  #look(charge: Charge, cost: number, nowUs: number): Look {
    const meter = this.#meterOf(charge.limit);
    const state = this.#tables[charge.partition].read(charge.bucket);
    return { charge, meter, state, waitUs: meter.waitUs(state, cost, nowUs) };
  }

  #charge({ charge, meter, state }: Look, cost: number, nowUs: number): LimitReport {
    const next = cost === 0 ? state : meter.charged(state, cost, nowUs);
    if (next !== undefined) this.#tables[charge.partition].write(charge.bucket, next, nowUs);
    return report({ charge, meter, state: next, waitUs: 0 }, nowUs);
  }

  #meterOf(limit: Limit): Meter {
    const known = this.#meters.get(limit);
    if (known !== undefined) return known;
    const meter = meterOf(limit, this.#wallOffsetUs);
    this.#meters.set(limit, meter);
    return meter;
  }
}

/** One charge as it stands before anything is drawn. */
interface Look {
  readonly charge: Charge;
  readonly meter: Meter;
  readonly state: BucketState | undefined;
  readonly waitUs: number;
}

/** The limit to blame: after its wait the others let the request pass as well, so its Retry-After is true. */
function longestWait(looks: readonly Look[]): Look | undefined {
  let longest: Look | undefined;
  for (const look of looks) {
    if (look.waitUs > (longest?.waitUs ?? 0)) longest = look;
  }
  return longest;
}

function report({ charge, meter, state, waitUs }: Look, nowUs: number): LimitReport {
  const { remaining, resetUs } = meter.standing(state, nowUs);
  return {
    limit: charge.limit,
    remaining,
    resetMs: Math.ceil(resetUs / 1000),
    retryAfterMs: waitUs === Number.POSITIVE_INFINITY ? NEVER_MS : Math.ceil(waitUs / 1000),
  };
}

/** Rounded, not cut: a clock that counts in microseconds gives exact ones. */
function toUs(ms: number): number {
  return Math.round(ms * 1000);
}
