import type { FollowerState } from '../cache/follower.ts';
import type { Now } from '../model/clock.ts';
import { storeProblem } from './store-problem.ts';

/** How a process stands to its store. */
export type Standing =
  | { readonly kind: 'not_read' }
  | { readonly kind: 'followed' }
  /** `blind`: for longer than the stale window. */
  | ({ readonly kind: 'silent' | 'blind' } & Silence);

export interface Silence {
  /** What it means for requests: for /readyz, which anybody may read. */
  readonly consequence: string;
  /** What the last attempt met: for the log. */
  readonly cause: string;
}

/** Several polls of the follower: one slow answer is no outage. */
const SILENT_MS_MAX = 5000;

export interface StandingQuestion {
  readonly follower: Pick<FollowerState, 'lastConfirmedMonoMs' | 'problem'>;
  readonly staleWindowMs: number;
  readonly now: Now;
}

/** How a process that follows the changes stands. */
export function storeStanding({ follower, staleWindowMs, now }: StandingQuestion): Standing {
  const { lastConfirmedMonoMs, problem } = follower;
  if (lastConfirmedMonoMs === undefined) return { kind: 'not_read' };
  const silentMs = now.monoMs - lastConfirmedMonoMs;
  if (silentMs <= Math.min(SILENT_MS_MAX, staleWindowMs)) return { kind: 'followed' };
  const cause = storeProblem(problem)?.message ?? 'Reads take too long, or fail by a bug.';
  if (silentMs > staleWindowMs) {
    return { kind: 'blind', cause, consequence: 'the stale window is over, every key gets 503' };
  }
  const endsAt = new Date(now.wallMs - silentMs + staleWindowMs);
  const consequence = `keys in memory work until ${endsAt.toISOString()}, others get 503`;
  return { kind: 'silent', cause, consequence };
}
