import type { StorePosition } from '../../model/change.ts';
import type { Accounts } from '../accounts.ts';
import type { ReplicaRecord } from '../ports.ts';

export type Confirmation =
  | { readonly kind: 'confirmed'; readonly replicas: number; readonly tookMs: number }
  | {
      readonly kind: 'unconfirmed';
      readonly confirmed: number;
      readonly missing: readonly UnconfirmedReplica[];
      readonly waitedMs: number;
    };

export interface UnconfirmedReplica {
  readonly name: string;
  /** For so long it may still act on what it knew before; then it refuses by itself. */
  readonly mayAllowForMs: number;
}

export interface Wait {
  readonly at: StorePosition;
  /** The replicas' own: how long one that cannot reach the store goes on from memory. */
  readonly staleWindowMs: number;
  readonly timeoutMs: number;
  readonly sleep: (ms: number) => Promise<void>;
}

/** Between two looks at the replicas: short beside the second that a poll takes, long beside a query. */
const LOOK_EVERY_MS = 100;
/** A heartbeat is written seconds apart and its age is told by the store's clock: beyond the window by this, a replica is gone. */
export const HEARTBEAT_MARGIN_MS = 10_000;

/**
 * Waits until every replica has applied the change at `at`. A replica leaves the count by deregistering, or when it has
 * been silent for longer than the stale window and a margin: by then it refuses by itself what it cannot confirm.
 */
export async function awaitReplicas(
  { replicas: directory, clock }: Pick<Accounts, 'replicas' | 'clock'>,
  wait: Wait,
  signal: AbortSignal,
): Promise<Confirmation> {
  const startedMs = clock().monoMs;
  for (;;) {
    const replicas = await directory.list(signal);
    const live = replicas.filter((replica) => mayAllowForMs(replica, wait) > 0);
    const missing = live.filter((replica) => !hasSeen(replica, wait.at));
    const waitedMs = clock().monoMs - startedMs;
    if (missing.length === 0) {
      return { kind: 'confirmed', replicas: live.length, tookMs: Math.round(waitedMs) };
    }
    if (waitedMs >= wait.timeoutMs) {
      return {
        kind: 'unconfirmed',
        confirmed: live.length - missing.length,
        missing: missing.map((replica) => ({
          name: replica.name,
          mayAllowForMs: Math.ceil(mayAllowForMs(replica, wait)),
        })),
        waitedMs: Math.round(waitedMs),
      };
    }
    await wait.sleep(LOOK_EVERY_MS);
  }
}

/** A position of another history says nothing about this one. */
function hasSeen({ at }: ReplicaRecord, wanted: StorePosition): boolean {
  return at.epoch === wanted.epoch && at.version >= wanted.version;
}

function mayAllowForMs({ ageMs }: ReplicaRecord, { staleWindowMs }: Wait): number {
  return staleWindowMs + HEARTBEAT_MARGIN_MS - ageMs;
}
