import { StoreUnavailableError } from '../model/change.ts';
import type { Schedule } from '../model/clock.ts';

export interface Bound {
  readonly schedule: Schedule;
  readonly timeoutMs: number;
  /** Ends the call early, as the timeout would. */
  readonly signal?: AbortSignal;
}

/**
 * The outcome of `call`, or a StoreUnavailableError once the time is up. It does not rely on `call` to heed the signal: a
 * socket that swallows everything must not hold anybody.
 */
export function withDeadline<T>(
  { schedule, timeoutMs, signal }: Bound,
  call: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const controller = new AbortController();
    const giveUp = (message: string) => {
      const error = new StoreUnavailableError(message);
      settle(() => reject(error));
      controller.abort(error);
    };
    const stop = () => giveUp('The store was being asked when the stop came.');
    const cancelTimer = schedule(
      () => giveUp(`The store did not answer within ${timeoutMs} ms.`),
      timeoutMs,
    );
    const settle = (finish: () => void) => {
      cancelTimer();
      signal?.removeEventListener('abort', stop);
      finish();
    };
    if (signal?.aborted) return stop();
    signal?.addEventListener('abort', stop);
    const run = async () => call(controller.signal);
    run().then(
      (value) => settle(() => resolve(value)),
      (error: unknown) => settle(() => reject(error)),
    );
  });
}
