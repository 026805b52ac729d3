import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { LoadOutcome } from '../cache/ports.ts';
import type { Clock } from '../model/clock.ts';
import type { DenialReason } from '../model/denials.ts';
import { CATALOG, type MetricEntry } from './catalog.ts';
import { DecisionCounters } from './decision-counters.ts';
import type { DecisionReport, MetricSources, PartReading } from './ports.ts';
import { partReading, type Reading, readingMetrics } from './reading-metrics.ts';

export interface MetricsOptions {
  readonly version: string;
  readonly nodeVersion: string;
  readonly clock: Clock;
}

export interface Metrics {
  decided(report: DecisionReport): void;
  lookupEnded(outcome: LoadOutcome, durationMs: number): void;
  fault(): void;
  denialSuppressed(reason: DenialReason): void;
  logLineDropped(): void;
  /** A policy was put in force, at the start or later. Series of rules that are gone are dropped. */
  policyLoaded(policy: PolicyInForce): void;
  /** A changed file was rejected. */
  policyRejected(): void;
  /** The file is again what is in force. */
  policyRestored(): void;
  /** A certificate came into use, until `notAfterMs` (milliseconds since the Unix epoch). */
  certificateLoaded(notAfterMs: number): void;
  /** The changed files cannot be used. */
  certificateRejected(): void;
  /** From now on a scrape tells the state of each part. Once. */
  readParts(parts: () => readonly PartReading[]): void;
  /** From now on a scrape reads these as well; before, their metrics are missing. Once. */
  readFrom(sources: MetricSources): void;
  /** The text of a scrape (Prometheus exposition format 0.0.4). */
  scrape(): Promise<{ readonly contentType: string; readonly body: string }>;
}

export interface PolicyInForce {
  readonly sha256: string;
  readonly generation: number;
  readonly ruleNames: Iterable<string>;
}

/** From a hit in memory on an idle machine to Envoy's longest patience. */
const DURATION_BUCKETS_SECONDS = [
  0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025,
  0.05, 0.1, 0.25, 0.5, 1, 2.5, 5,
];

/** From a young collection to a full one of a large cache. */
const GC_BUCKETS_SECONDS = [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1];

/** The event loop's delay is sampled this often; Node's 10 ms would wake an idle sidecar a hundred times a second. */
const EVENT_LOOP_SAMPLE_MS = 100;

/** Every metric, in a registry of its own; series that can be known are there from the start, at zero. */
export function createMetrics({ version, nodeVersion, clock }: MetricsOptions): Metrics {
  const registry = new Registry();
  addProcessMetrics(registry);
  gauge(registry, CATALOG.buildInfo).labels(version, nodeVersion).set(1);
  const decisions = new DecisionCounters();
  register(registry, { entry: CATALOG.decisions, samples: () => decisions.samples() });
  const checkDuration = histogram(registry, CATALOG.checkDuration);
  const fromMemory = checkDuration.labels('memory');
  const fromStore = checkDuration.labels('store');
  const lookups = counter(registry, CATALOG.lookups);
  const lookupDuration = histogram(registry, CATALOG.lookupDuration);
  const faults = counter(registry, CATALOG.faults);
  const suppressed = counter(registry, CATALOG.denialLinesSuppressed);
  const dropped = counter(registry, CATALOG.logLinesDropped);
  for (const outcome of ['found', 'absent', 'fenced', 'unavailable'])
    lookups.labels(outcome).inc(0);
  return {
    decided({ decision, durationMs, rounds }) {
      const reason = decision.kind === 'allow' ? 'allowed' : decision.reason;
      decisions.count(reason, decision.rule?.name);
      (rounds > 1 ? fromStore : fromMemory).observe(durationMs / 1000);
    },
    lookupEnded(outcome, durationMs) {
      lookups.labels(outcome).inc();
      if (outcome !== 'unavailable') lookupDuration.observe(durationMs / 1000);
    },
    fault: () => faults.inc(),
    denialSuppressed: (reason) => suppressed.labels(reason).inc(),
    logLineDropped: () => dropped.inc(),
    ...policyMetrics(registry, { clock, decisions }),
    ...certificateMetrics(registry),
    readParts: (parts) => register(registry, partReading(parts)),
    readFrom(sources) {
      for (const reading of readingMetrics(sources, clock)) register(registry, reading);
    },
    async scrape() {
      return { contentType: registry.contentType, body: await registry.metrics() };
    },
  };
}

/**
 * Gauges with the name of counters, to which `promtool check metrics` objects; and the two whose figures Node gives by
 * functions that are not public.
 */
const UNWANTED = [
  'nodejs_active_resources_total',
  ...['nodejs_active_handles', 'nodejs_active_handles_total'],
  ...['nodejs_active_requests', 'nodejs_active_requests_total'],
];

function addProcessMetrics(registry: Registry): void {
  collectDefaultMetrics({
    register: registry,
    eventLoopMonitoringPrecision: EVENT_LOOP_SAMPLE_MS,
    gcDurationBuckets: [...GC_BUCKETS_SECONDS],
  });
  for (const name of UNWANTED) registry.removeSingleMetric(name);
}

function certificateMetrics(
  registry: Registry,
): Pick<Metrics, 'certificateLoaded' | 'certificateRejected'> {
  // Not before there is one: without TLS, gauges at 0 would say that it ran out in 1970.
  let gauges: { readonly notAfter: Gauge; readonly successful: Gauge } | undefined;
  return {
    certificateLoaded(notAfterMs) {
      gauges ??= {
        notAfter: gauge(registry, CATALOG.certificateNotAfter),
        successful: gauge(registry, CATALOG.certificateReloadSuccessful),
      };
      gauges.notAfter.set(notAfterMs / 1000);
      gauges.successful.set(1);
    },
    certificateRejected: () => gauges?.successful.set(0),
  };
}

function policyMetrics(
  registry: Registry,
  { clock, decisions }: { readonly clock: Clock; readonly decisions: DecisionCounters },
): Pick<Metrics, 'policyLoaded' | 'policyRejected' | 'policyRestored'> {
  const info = gauge(registry, CATALOG.policyInfo);
  const generation = gauge(registry, CATALOG.policyGeneration);
  const successful = gauge(registry, CATALOG.policyReloadSuccessful);
  const time = gauge(registry, CATALOG.policyReloadTime);
  const failures = counter(registry, CATALOG.policyReloadFailures);
  const read = (isSuccessful: boolean): void => {
    successful.set(isSuccessful ? 1 : 0);
    time.set(clock().wallMs / 1000);
  };
  return {
    policyLoaded(policy) {
      info.reset();
      info.labels(policy.sha256).set(1);
      generation.set(policy.generation);
      decisions.useRules(policy.ruleNames);
      read(true);
    },
    policyRejected() {
      failures.inc();
      read(false);
    },
    policyRestored: () => read(true),
  };
}

/** A metric whose samples are read from the running parts when they are asked for. */
function register(registry: Registry, { entry, samples }: Reading): void {
  const metric =
    entry.type === 'counter' ? counter(registry, entry, collect) : gauge(registry, entry, collect);
  function collect(): void {
    metric.reset();
    for (const [value, ...labels] of samples()) metric.labels(...labels).inc(value);
  }
}

function counter(registry: Registry, entry: MetricEntry, collect = () => {}): Counter {
  return new Counter({ ...described(entry), registers: [registry], collect });
}

function gauge(registry: Registry, entry: MetricEntry, collect = () => {}): Gauge {
  return new Gauge({ ...described(entry), registers: [registry], collect });
}

function histogram(registry: Registry, entry: MetricEntry): Histogram {
  return new Histogram({
    ...described(entry),
    registers: [registry],
    buckets: DURATION_BUCKETS_SECONDS,
  });
}

function described({ name, help, labels }: MetricEntry) {
  return { name, help, labelNames: [...labels] };
}
