import type { FollowerState } from '../cache/follower.ts';

/** How a process stands to its store. */
export type Standing = 'not_read' | 'silent' | 'followed';

/** Several polls of the follower: one slow answer is no outage. */
const SILENT_MS_MAX = 5000;

export function storeStanding(
  { firstReadDone, lastConfirmedMonoMs }: FollowerState,
  monoMs: number,
): Standing {
  if (!firstReadDone) return 'not_read';
  const isSilent =
    lastConfirmedMonoMs === undefined || monoMs - lastConfirmedMonoMs > SILENT_MS_MAX;
  return isSilent ? 'silent' : 'followed';
}
