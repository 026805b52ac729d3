import { ApiKeySource } from '../authenticators/api-key.ts';
import type { DigestKeyring, KeyStore } from '../authenticators/ports.ts';
import type { PrincipalCacheOptions } from '../cache/cache-options.ts';
import { Circuit } from '../cache/circuit.ts';
import { ChangeFollower } from '../cache/follower.ts';
import { Lookups, type LookupsOptions } from '../cache/lookups.ts';
import type {
  CacheObserver,
  ChangeFeed,
  ChangeHints,
  ReplicaRegistry,
  UsageStore,
} from '../cache/ports.ts';
import { PrincipalCache } from '../cache/principal-cache.ts';
import { systemTimers } from '../cache/timers.ts';
import { UsageRecorder } from '../cache/usage-recorder.ts';
import type { CheckHandler } from '../envoy/ports.ts';
import { createRunner } from '../envoy/runner.ts';
import { LocalLimits, type PartitionSizes } from '../limits/local-store.ts';
import type { CompiledPolicy } from '../model/policy.ts';
import type { DecisionObserver } from '../telemetry/ports.ts';
import { decisionIds } from './decision-ids.ts';
import { systemClock } from './system.ts';

export interface CheckServiceParts {
  readonly policy: () => CompiledPolicy;
  readonly keys: KeyStore;
  readonly keyring: DigestKeyring;
  readonly feed: ChangeFeed;
  readonly hints: ChangeHints;
  readonly registry: ReplicaRegistry;
  readonly usage: UsageStore;
  readonly cache: Pick<PrincipalCacheOptions, 'credentialsMax' | 'ttlMs' | 'staleWindowMs'>;
  readonly lookups: LookupsOptions & { readonly loadTimeoutMs: number };
  readonly limits: PartitionSizes;
  readonly observer: DecisionObserver;
  readonly cacheObserver: CacheObserver;
  readonly onFault: (error: unknown) => void;
}

/** Everything that decides, wired: bytes in, bytes out, and the follower that keeps its memory true. */
export interface CheckService {
  readonly handler: CheckHandler;
  readonly cache: PrincipalCache;
  readonly lookups: Lookups;
  readonly limits: LocalLimits;
  readonly follower: ChangeFollower;
  /** Begins to follow the changes; decisions need that to have happened once. */
  start(): void;
  /** Leaves the replicas' count and writes what is not written yet. */
  stop(): Promise<void>;
}

export function createCheckService(parts: CheckServiceParts): CheckService {
  const random = Math.random;
  const clock = systemClock;
  const timers = systemTimers;
  const observer = parts.cacheObserver;
  const cache: PrincipalCache = new PrincipalCache({
    ...parts.cache,
    random,
    onRefreshDue: (kind, digest) => lookups.refresh(kind, digest),
  });
  const source = new ApiKeySource({ store: parts.keys, keyring: parts.keyring });
  const lookups: Lookups = new Lookups(
    {
      ...{ source, cache, circuit: new Circuit(), clock, timers, observer },
      loadTimeoutMs: parts.lookups.loadTimeoutMs,
      onForeignHistory: () => follower.hint(),
    },
    parts.lookups,
  );
  const follower: ChangeFollower = new ChangeFollower({
    ...{ feed: parts.feed, hints: parts.hints, registry: parts.registry },
    ...{ sink: cache, clock, timers, random, observer },
  });
  const limits = new LocalLimits(parts.limits, clock());
  const usage = new UsageRecorder({ store: parts.usage, timers, random, observer });
  const handler = createRunner({
    ...{ policy: parts.policy, memory: cache, limits, clock },
    resolve: (need, deadlineMonoMs) => lookups.resolve(need, deadlineMonoMs),
    observer: parts.observer,
    used: (keyId, atMs, address) => usage.record(keyId, atMs, address),
    newDecisionId: decisionIds(),
    onFault: parts.onFault,
  });
  return {
    ...{ handler, cache, lookups, limits, follower },
    start() {
      follower.start();
      usage.start();
    },
    async stop() {
      await follower.stop();
      await usage.stop();
    },
  };
}
