import type { StandingAnswer } from './answer.ts';
import type { Plan } from './plan.ts';

/** A client has no business sending these; an upstream that logs or trusts them must see none but the real ones. */
const LIMIT_REQUEST_HEADERS = [
  'x-ratelimit-limit',
  'x-ratelimit-remaining',
  'x-ratelimit-reset',
  'ratelimit',
  'ratelimit-policy',
] as const;

/** What an allow always says, and what it says of these principals. */
export function standingAnswer(
  stripHeaders: readonly string[],
  own: Omit<StandingAnswer, 'encoded'>,
): StandingAnswer {
  return {
    ...own,
    removeRequestHeaders: [...LIMIT_REQUEST_HEADERS, ...stripHeaders, ...own.removeRequestHeaders],
    encoded: undefined,
  };
}

/** Requests that pass without a credential. */
export interface Anonymous {
  readonly standing: StandingAnswer;
  /** Of the plan `anonymous`, if the policy has one. */
  readonly addressLimits: Plan['limits'];
}

/** Nobody's headers are set, so whatever the client sent under those names is removed. */
export function anonymous(
  principalHeaders: readonly string[],
  stripHeaders: readonly string[],
  plans: ReadonlyMap<string, Plan>,
): Anonymous {
  const limits = plans.get('anonymous')?.limits ?? [];
  return {
    standing: standingAnswer(stripHeaders, {
      requestHeaders: [],
      removeRequestHeaders: principalHeaders,
      metadata: [],
    }),
    addressLimits: limits.filter((limit) => limit.per === 'client_address'),
  };
}
