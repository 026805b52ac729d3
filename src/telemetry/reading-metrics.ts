import type { Clock } from '../model/clock.ts';
import { CATALOG, type MetricEntry } from './catalog.ts';
import type { MetricSources, PartReading } from './ports.ts';

/** A value and the values of its labels. */
export type Sample = readonly [value: number, ...labels: string[]];

export interface Reading {
  readonly entry: MetricEntry;
  readonly samples: () => readonly Sample[];
}

/** What the running parts say of themselves. */
export function readingMetrics(sources: MetricSources, clock: Clock): readonly Reading[] {
  return [
    ...cacheReadings(sources),
    ...lookupReadings(sources),
    ...followerReadings(sources, clock),
    ...limiterReadings(sources),
    { entry: CATALOG.grpcConnections, samples: () => [[sources.connections()]] },
  ];
}

const PART_STATES = ['ready', 'degraded', 'not_ready'] as const;

/** One series for each state, so that an alert may name the one it means. */
export function partReading(parts: () => readonly PartReading[]): Reading {
  return {
    entry: CATALOG.partState,
    samples: () =>
      parts().flatMap(({ name, state }) =>
        PART_STATES.map((each): Sample => [flag(each === state), name, each]),
      ),
  };
}

function cacheReadings({ cache, bounds }: MetricSources): readonly Reading[] {
  return [
    {
      entry: CATALOG.cacheRequests,
      samples: () => [
        [cache().hits, 'hit'],
        [cache().absenceHits, 'absence'],
        [cache().misses, 'miss'],
      ],
    },
    { entry: CATALOG.cacheStaleHits, samples: () => [[cache().staleHits]] },
    { entry: CATALOG.cacheSuspectsServed, samples: () => [[cache().suspectsServed]] },
    {
      entry: CATALOG.cacheEntries,
      samples: () => [
        [cache().credentials, 'credential'],
        [cache().subjects, 'subject'],
        [cache().absences, 'absence'],
      ],
    },
    { entry: CATALOG.cacheCredentialsMax, samples: () => [[bounds.credentialsMax]] },
    { entry: CATALOG.cacheStaleWindow, samples: () => [[bounds.staleWindowMs / 1000]] },
    { entry: CATALOG.cacheEvictions, samples: () => [[cache().evictions]] },
  ];
}

function lookupReadings({ lookups, bounds }: MetricSources): readonly Reading[] {
  return [
    { entry: CATALOG.lookupsInFlight, samples: () => [[lookups().running]] },
    {
      entry: CATALOG.lookupsQueued,
      samples: () => [
        [lookups().queued, 'request'],
        [lookups().queuedRefreshes, 'refresh'],
      ],
    },
    { entry: CATALOG.lookupsQueueMax, samples: () => [[bounds.queueMax]] },
    { entry: CATALOG.lookupCircuitOpen, samples: () => [[flag(lookups().isCircuitOpen)]] },
  ];
}

function followerReadings({ follower }: MetricSources, clock: Clock): readonly Reading[] {
  const ageSeconds = (monoMs: number | undefined): number =>
    monoMs === undefined ? Number.POSITIVE_INFINITY : Math.max(0, clock().monoMs - monoMs) / 1000;
  return [
    { entry: CATALOG.followerConnected, samples: () => [[flag(follower().connected)]] },
    { entry: CATALOG.followerVersion, samples: () => [[follower().position?.version ?? 0]] },
    { entry: CATALOG.followerLag, samples: () => [[follower().lagVersions]] },
    {
      entry: CATALOG.followerConfirmedAge,
      samples: () => [[ageSeconds(follower().lastConfirmedMonoMs)]],
    },
    {
      entry: CATALOG.followerAnnouncedAge,
      samples: () => [[ageSeconds(follower().lastAnnouncedMonoMs)]],
    },
  ];
}

const PARTITIONS = ['identity', 'address', 'failure'] as const;

function limiterReadings({ limits }: MetricSources): readonly Reading[] {
  return [
    {
      entry: CATALOG.limiterBuckets,
      samples: () => PARTITIONS.map((partition) => [limits()[partition].size, partition]),
    },
    {
      entry: CATALOG.limiterBucketsMax,
      samples: () => PARTITIONS.map((partition) => [limits()[partition].sizeMax, partition]),
    },
    {
      entry: CATALOG.limiterEvictions,
      samples: () =>
        PARTITIONS.flatMap((partition): Sample[] => [
          [limits()[partition].evictedFull, partition, 'full'],
          [limits()[partition].evictedEarly, partition, 'early'],
        ]),
    },
  ];
}

function flag(value: boolean): number {
  return value ? 1 : 0;
}
