import type { Decision } from '../model/decision.ts';

/** What the runner tells of each decision. Never a credential, never a query string. */
export interface DecisionObserver {
  decided(report: DecisionReport): void;
}

export interface DecisionReport {
  readonly decision: Decision;
  readonly decisionId: string;
  /** From the call's arrival to its answer. */
  readonly durationMs: number;
  /** How often the story ran; 1 is a hit in memory. */
  readonly rounds: number;
  /** Byte strings from the client: to be escaped by whoever writes them. Path without query. */
  readonly method: string;
  readonly host: string;
  readonly path: string;
  readonly clientAddress: string | undefined;
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** Names in snake_case. A field that is `undefined` is left out. */
export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>;

/** One line. The message is a constant text; everything that varies is a field. Never a secret, never a query string. */
export type Log = (level: LogLevel, message: string, fields?: LogFields) => void;

/** What is read from the running parts when metrics are collected. Each is called once per scrape and must be quick. */
export interface MetricSources {
  readonly cache: () => CacheReading;
  readonly lookups: () => LookupsReading;
  readonly follower: () => FollowerReading;
  readonly limits: () => Readonly<Record<'identity' | 'address' | 'failure', BucketsReading>>;
  readonly connections: () => number;
  /** What they are held against. */
  readonly bounds: MetricBounds;
}

/** As configured. */
export interface MetricBounds {
  readonly credentialsMax: number;
  readonly staleWindowMs: number;
  readonly queueMax: number;
}

/** A part of readiness, as /readyz names it. Names are fixed words. */
export interface PartReading {
  readonly name: string;
  readonly state: 'ready' | 'degraded' | 'not_ready';
}

/** Counts since the start, and sizes now. */
export interface CacheReading {
  readonly credentials: number;
  readonly subjects: number;
  readonly absences: number;
  readonly hits: number;
  readonly absenceHits: number;
  readonly misses: number;
  readonly staleHits: number;
  readonly suspectsServed: number;
  readonly evictions: number;
}

export interface LookupsReading {
  readonly running: number;
  readonly queued: number;
  readonly queuedRefreshes: number;
  readonly isCircuitOpen: boolean;
}

export interface FollowerReading {
  readonly connected: boolean;
  readonly position: { readonly version: number } | undefined;
  readonly lastConfirmedMonoMs: number | undefined;
  readonly lagVersions: number;
  readonly lastAnnouncedMonoMs: number | undefined;
}

export interface BucketsReading {
  readonly size: number;
  readonly sizeMax: number;
  readonly evictedFull: number;
  readonly evictedEarly: number;
}
