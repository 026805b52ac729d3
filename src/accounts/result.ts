/** How a cold verb ends. A refusal says what was wrong and what to do; nothing was written then. */
export type Result<T> = { readonly kind: 'ok'; readonly value: T } | Refusal;

export interface Refusal {
  readonly kind: 'refused';
  /**
   * `invalid`: what was asked for cannot be. `not_found`: it does not exist. `conflict`: it cannot be now.
   * `unavailable`: the store did not answer, and only whoever opened it can say so; verbs throw for an outage.
   */
  readonly reason: 'invalid' | 'not_found' | 'conflict' | 'unavailable';
  readonly message: string;
}

export const ok = <T>(value: T): Result<T> => ({ kind: 'ok', value });

export const refusal = (reason: Refusal['reason'], message: string): Refusal => ({
  kind: 'refused',
  reason,
  message,
});
