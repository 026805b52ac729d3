import type { Now } from '../model/clock.ts';
import type { Charge, LimitMemory, SpendResult } from '../model/limit-memory.ts';
import type { Limit } from '../model/plan.ts';
import type { CompiledPolicy } from '../model/policy.ts';
import type { Principal } from '../model/principal.ts';
import type { RouteRule } from '../model/route-rule.ts';

interface Spending {
  readonly rule: RouteRule;
  /** `undefined`: anonymous, on the plan `anonymous` if the policy has one. */
  readonly principal: Principal | undefined;
  readonly policy: CompiledPolicy;
  /** Computed only where a limit counts by client address. */
  readonly clientBucket: () => string;
  readonly requestKey: string | undefined;
}

const NO_CHARGES: readonly Charge[] = [];
const NOTHING_TO_SPEND: SpendResult = { allowed: true, reports: [] };

/** The last step before the answer, and the first that changes anything: every limit is evaluated before any is charged. */
export function spend(spending: Spending, limits: LimitMemory, now: Now): SpendResult {
  const { rule, principal } = spending;
  const charges = principal?.charges ?? NO_CHARGES;
  const { addressLimits } = principal?.grant ?? spending.policy.anonymous;
  if (rule.cost === 0 || charges.length + addressLimits.length === 0) return NOTHING_TO_SPEND;
  const all = addressLimits.length === 0 ? charges : withAddress(charges, addressLimits, spending);
  return limits.spend(all, rule.cost, now, spending.requestKey);
}

function withAddress(
  charges: readonly Charge[],
  limits: readonly Limit[],
  spending: Spending,
): readonly Charge[] {
  const bucket = spending.clientBucket();
  return [
    ...charges,
    ...limits.map(
      (limit): Charge => ({ limit, partition: 'address', bucket: `${limit.id}|${bucket}` }),
    ),
  ];
}

/** The counter of failed authentications: apart from every plan, so that a stranger's guesses spend nobody's quota. */
export function failureCharge(limit: Limit, clientBucket: string): Charge {
  return { limit, partition: 'failure', bucket: `${limit.id}|${clientBucket}` };
}

/** Whether this address has no failure left. */
export function areFailuresExhausted(charge: Charge, limits: LimitMemory, now: Now): boolean {
  return limits.peek(charge, 1, now).retryAfterMs > 0;
}
