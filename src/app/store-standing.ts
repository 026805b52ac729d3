import type { FollowerState } from '../cache/follower.ts';

/** How a replica stands to its store. */
export type Standing =
  | { readonly kind: 'not_read' }
  | { readonly kind: 'silent' }
  | { readonly kind: 'followed' };

export function storeStanding(
  { firstReadDone, lastConfirmedMonoMs }: FollowerState,
  monoMs: number,
  silentMsMax: number,
): Standing {
  if (!firstReadDone) return { kind: 'not_read' };
  const isSilent = lastConfirmedMonoMs === undefined || monoMs - lastConfirmedMonoMs > silentMsMax;
  return { kind: isSilent ? 'silent' : 'followed' };
}
