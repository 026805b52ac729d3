import type { Clock, Schedule } from '../model/clock.ts';
import type { PrincipalCacheOptions } from './cache-options.ts';
import { Circuit } from './circuit.ts';
import { ChangeFollower } from './follower.ts';
import { Lookups, type LookupsOptions } from './lookups.ts';
import type {
  CacheObserver,
  ChangeFeed,
  ChangeHints,
  CredentialSource,
  ReplicaRegistry,
} from './ports.ts';
import { PrincipalCache } from './principal-cache.ts';

export interface CacheParts {
  readonly source: CredentialSource;
  readonly feed: ChangeFeed;
  readonly hints: ChangeHints;
  readonly registry: ReplicaRegistry;
  readonly clock: Clock;
  readonly schedule: Schedule;
  /** In [0, 1). */
  readonly random: () => number;
  readonly observer: CacheObserver;
}

export interface CacheSettings
  extends LookupsOptions,
    Omit<PrincipalCacheOptions, 'random' | 'onRefreshDue'> {
  /** A store that takes longer is treated as away; the callers' own deadlines are shorter as a rule. */
  readonly loadTimeoutMs: number;
}

export interface ComposedCache {
  readonly memory: PrincipalCache;
  readonly lookups: Lookups;
  readonly follower: ChangeFollower;
}

/** The cache with what fills it and what keeps it true. Nothing runs before `follower.start()`. */
export function composeCache(parts: CacheParts, settings: CacheSettings): ComposedCache {
  const { clock, schedule, random, observer } = parts;
  const memory: PrincipalCache = new PrincipalCache({
    ...settings,
    random,
    onRefreshDue: (kind, digest) => lookups.refresh(kind, digest),
  });
  const follower = new ChangeFollower({
    ...{ ...parts, sink: memory },
    onAnswer: () => lookups.retryWhatFailed(),
  });
  const lookups: Lookups = new Lookups(
    {
      source: parts.source,
      cache: memory,
      circuit: new Circuit(),
      clock,
      schedule,
      observer,
      loadTimeoutMs: settings.loadTimeoutMs,
      onForeignHistory: () => follower.hint(),
    },
    settings,
  );
  return { memory, lookups, follower };
}
