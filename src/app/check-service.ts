import { ApiKeySource } from '../authenticators/api-key.ts';
import type { DigestKeyring, KeyStore } from '../authenticators/ports.ts';
import { type CacheSettings, type ComposedCache, composeCache } from '../cache/compose.ts';
import type {
  CacheObserver,
  ChangeFeed,
  ChangeHints,
  ReplicaRegistry,
  UsageStore,
} from '../cache/ports.ts';
import { UsageRecorder } from '../cache/usage-recorder.ts';
import type { CheckHandler } from '../envoy/ports.ts';
import { createRunner } from '../envoy/runner.ts';
import { LocalLimits, type PartitionSizes } from '../limits/local-store.ts';
import type { CompiledPolicy } from '../model/policy.ts';
import type { DecisionObserver } from '../telemetry/ports.ts';
import { decisionIds } from './decision-ids.ts';
import { systemClock, systemSchedule } from './system.ts';

export interface CheckServiceParts {
  readonly policy: () => CompiledPolicy;
  readonly keys: KeyStore;
  readonly keyring: DigestKeyring;
  readonly feed: ChangeFeed;
  readonly hints: ChangeHints;
  readonly registry: ReplicaRegistry;
  readonly usage: UsageStore;
  readonly cache: CacheSettings;
  readonly limits: PartitionSizes;
  readonly observer: DecisionObserver;
  readonly cacheObserver: CacheObserver;
  readonly onFault: (error: unknown) => void;
}

/** Everything that decides, wired: bytes in, bytes out, and the follower that keeps its memory true. */
export interface CheckService {
  readonly handler: CheckHandler;
  readonly memory: ComposedCache['memory'];
  readonly lookups: ComposedCache['lookups'];
  readonly limits: LocalLimits;
  readonly follower: ComposedCache['follower'];
  /** Begins to follow the changes; decisions need that to have happened once. */
  start(): void;
  /** Leaves the replicas' count and writes what is not written yet. */
  stop(): Promise<void>;
}

export function createCheckService(parts: CheckServiceParts): CheckService {
  const shared = {
    ...{ clock: systemClock, schedule: systemSchedule, random: Math.random },
    observer: parts.cacheObserver,
  };
  const { memory, lookups, follower } = composeCache(
    {
      ...shared,
      source: new ApiKeySource({ store: parts.keys, keyring: parts.keyring }),
      ...{ feed: parts.feed, hints: parts.hints, registry: parts.registry },
    },
    parts.cache,
  );
  const limits = new LocalLimits(parts.limits, systemClock());
  const usage = new UsageRecorder({ store: parts.usage, ...shared });
  const handler = createRunner({
    ...{ policy: parts.policy, memory, limits, clock: systemClock },
    resolve: (need, deadlineMonoMs) => lookups.resolve(need, deadlineMonoMs),
    observer: parts.observer,
    used: (keyId, atMs, address) => usage.record(keyId, atMs, address),
    newDecisionId: decisionIds(),
    onFault: parts.onFault,
  });
  return {
    ...{ handler, memory, lookups, limits, follower },
    start() {
      follower.start();
      usage.start();
    },
    async stop() {
      // At once: from a store that is silent each waits for its own deadline.
      await Promise.all([follower.stop(), usage.stop()]);
    },
  };
}
