import type { Clock } from '../model/clock.ts';
import { CATALOG, type MetricEntry } from './catalog.ts';
import type { MetricSources } from './ports.ts';

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
  ];
}

function cacheReadings({ cache }: MetricSources): readonly Reading[] {
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
    { entry: CATALOG.cacheEvictions, samples: () => [[cache().evictions]] },
  ];
}

function lookupReadings({ lookups }: MetricSources): readonly Reading[] {
  return [
    { entry: CATALOG.lookupsInFlight, samples: () => [[lookups().running]] },
    {
      entry: CATALOG.lookupsQueued,
      samples: () => [
        [lookups().queued, 'request'],
        [lookups().queuedRefreshes, 'refresh'],
      ],
    },
    { entry: CATALOG.lookupCircuitOpen, samples: () => [[flag(lookups().isCircuitOpen)]] },
  ];
}

function followerReadings({ follower }: MetricSources, clock: Clock): readonly Reading[] {
  const confirmedAgeSeconds = (): number => {
    const { lastConfirmedMonoMs } = follower();
    if (lastConfirmedMonoMs === undefined) return Number.POSITIVE_INFINITY;
    return Math.max(0, clock().monoMs - lastConfirmedMonoMs) / 1000;
  };
  return [
    { entry: CATALOG.followerConnected, samples: () => [[flag(follower().connected)]] },
    { entry: CATALOG.followerVersion, samples: () => [[follower().position?.version ?? 0]] },
    { entry: CATALOG.followerLag, samples: () => [[follower().lagVersions]] },
    { entry: CATALOG.followerConfirmedAge, samples: () => [[confirmedAgeSeconds()]] },
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
