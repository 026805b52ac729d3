import { describe, expect, it } from 'vitest';
import { DENIAL_REASONS } from '../../../src/model/denials.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import type { MetricSources } from '../../../src/telemetry/ports.ts';
import { allowed, denied, handClock, reportOf } from './fixtures.ts';

function setUp() {
  const { clock, advance } = handClock(5000);
  const metrics = createMetrics({ version: '1.2.3', nodeVersion: 'v26.0.0', clock });
  const load = (...ruleNames: string[]) =>
    metrics.policyLoaded({ sha256: 'abc', generation: 1, ruleNames });
  const series = async (name: string): Promise<string[]> =>
    (await metrics.scrape()).body
      .split('\n')
      .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
      .map((line) => line.slice(name.length).trim());
  return { metrics, load, series, advance };
}

const SOURCES: MetricSources = {
  cache: () => ({
    ...{ credentials: 10, subjects: 8, absences: 3, hits: 100, absenceHits: 20, misses: 5 },
    ...{ staleHits: 4, suspectsServed: 2, evictions: 1 },
  }),
  lookups: () => ({ running: 2, queued: 7, queuedRefreshes: 1, isCircuitOpen: true }),
  follower: () => ({
    ...{ connected: false, position: { version: 42 }, lastConfirmedMonoMs: 4000, lagVersions: 3 },
    lastAnnouncedMonoMs: 3500,
  }),
  limits: () => ({
    identity: { size: 1, sizeMax: 10, evictedFull: 5, evictedEarly: 0 },
    address: { size: 2, sizeMax: 20, evictedFull: 6, evictedEarly: 7 },
    failure: { size: 3, sizeMax: 30, evictedFull: 0, evictedEarly: 0 },
  }),
  connections: () => 2,
  bounds: { credentialsMax: 1000, staleWindowMs: 600_000, queueMax: 256 },
};

describe('decisions', () => {
  it('are counted by reason and rule', async () => {
    const { metrics, load, series } = setUp();
    load('scans-read');
    metrics.decided(reportOf(allowed('scans-read')));
    metrics.decided(reportOf(allowed('scans-read')));
    metrics.decided(reportOf(denied('scope_missing', 'scans-read')));
    metrics.decided(reportOf(denied('route_not_found')));

    expect(await series('latchkey_decisions_total')).toEqual([
      '{reason="allowed",rule="scans-read"} 2',
      '{reason="scope_missing",rule="scans-read"} 1',
      '{reason="route_not_found",rule="none"} 1',
    ]);
  });

  it('of a rule that a reload removed lose their series, and a late one does not bring it back', async () => {
    const { metrics, load, series } = setUp();
    load('old', 'kept');
    metrics.decided(reportOf(allowed('old')));
    metrics.decided(reportOf(allowed('kept')));

    load('kept', 'new');
    metrics.decided(reportOf(allowed('old')));
    metrics.decided(reportOf(allowed('kept')));

    expect(await series('latchkey_decisions_total')).toEqual([
      '{reason="allowed",rule="kept"} 2',
      '{reason="allowed",rule="none"} 1',
    ]);
  });

  it('of a rule that was kept for a while lose their series all the same', async () => {
    const { metrics, load, series } = setUp();
    load('old');
    metrics.decided(reportOf(allowed('old')));
    load('old');
    load('new');

    expect(await series('latchkey_decisions_total')).toEqual([]);
  });

  it('add no series for anything that a client chose', async () => {
    const { metrics, load } = setUp();
    load('scans-read');
    const report = (n: number) => ({
      path: `/p/${n}`,
      host: `h${n}.example.com`,
      method: `M${n}`,
      clientAddress: `2001:db8::${n.toString(16)}`,
      decisionId: `d-${n}`,
    });
    for (const reason of DENIAL_REASONS) {
      metrics.decided(reportOf(denied(reason, 'scans-read'), report(0)));
    }
    metrics.decided(reportOf(denied('key_unknown', 'not-in-the-policy'), report(0)));
    const before = (await metrics.scrape()).body.split('\n').length;

    for (let n = 1; n <= 100_000; n += 1) {
      const reason = DENIAL_REASONS[n % DENIAL_REASONS.length] ?? 'key_unknown';
      metrics.decided(reportOf(denied(reason, 'scans-read'), report(n)));
    }
    metrics.decided(reportOf(denied('key_unknown', '../../x'), report(1)));

    expect((await metrics.scrape()).body.split('\n').length).toBe(before);
  });

  it('are timed, those that waited for the store apart', async () => {
    const { metrics, series } = setUp();
    metrics.decided(reportOf(allowed('r'), { durationMs: 0.02 }));
    metrics.decided(reportOf(allowed('r'), { durationMs: 0.3 }));
    metrics.decided(reportOf(allowed('r'), { durationMs: 7000, rounds: 2 }));

    const buckets = await series('latchkey_check_duration_seconds_bucket');
    expect(buckets).toContain('{le="0.00001",answered_from="memory"} 0');
    expect(buckets).toContain('{le="0.000025",answered_from="memory"} 1');
    expect(buckets).toContain('{le="0.0005",answered_from="memory"} 2');
    expect(buckets).toContain('{le="5",answered_from="store"} 0');
    expect(buckets).toContain('{le="+Inf",answered_from="store"} 1');
  });
});

describe('the running parts', () => {
  it('are read at each scrape', async () => {
    const { metrics, series } = setUp();
    metrics.readFrom(SOURCES);
    // Twice: what is read is what it is, not added up.
    await metrics.scrape();

    expect(await series('latchkey_cache_requests_total')).toEqual([
      '{result="hit"} 100',
      '{result="absence"} 20',
      '{result="miss"} 5',
    ]);
    expect(await series('latchkey_cache_stale_hits_total')).toEqual(['4']);
    expect(await series('latchkey_lookups_queued')).toEqual([
      '{kind="request"} 7',
      '{kind="refresh"} 1',
    ]);
    expect(await series('latchkey_lookup_circuit_open')).toEqual(['1']);
    expect(await series('latchkey_follower_connected')).toEqual(['0']);
    expect(await series('latchkey_follower_version')).toEqual(['42']);
    expect(await series('latchkey_follower_confirmed_age_seconds')).toEqual(['1']);
    expect(await series('latchkey_follower_announced_age_seconds')).toEqual(['1.5']);
    expect(await series('latchkey_cache_stale_window_seconds')).toEqual(['600']);
    expect(await series('latchkey_cache_credentials_max')).toEqual(['1000']);
    expect(await series('latchkey_lookups_queue_max')).toEqual(['256']);
    expect(await series('latchkey_grpc_connections')).toEqual(['2']);
    expect(await series('latchkey_limiter_evictions_total')).toEqual([
      '{partition="identity",state="full"} 5',
      '{partition="identity",state="early"} 0',
      '{partition="address",state="full"} 6',
      '{partition="address",state="early"} 7',
      '{partition="failure",state="full"} 0',
      '{partition="failure",state="early"} 0',
    ]);
  });

  it('that never saw the store say so', async () => {
    const { metrics, series } = setUp();
    const follower = () => ({
      ...{ connected: false, position: undefined, lastConfirmedMonoMs: undefined, lagVersions: 0 },
      lastAnnouncedMonoMs: undefined,
    });
    metrics.readFrom({ ...SOURCES, follower });

    expect(await series('latchkey_follower_confirmed_age_seconds')).toEqual(['+Inf']);
    expect(await series('latchkey_follower_announced_age_seconds')).toEqual(['+Inf']);
    expect(await series('latchkey_follower_version')).toEqual(['0']);
  });
});

describe('the parts of readiness', () => {
  it('have a series for each state, of which one is 1', async () => {
    const { metrics, series } = setUp();
    let state: 'ready' | 'degraded' = 'ready';
    metrics.readParts(() => [{ name: 'store', state }]);
    expect(await series('latchkey_part_state')).toContain('{part="store",state="degraded"} 0');
    state = 'degraded';
    expect(await series('latchkey_part_state')).toEqual([
      '{part="store",state="ready"} 0',
      '{part="store",state="degraded"} 1',
      '{part="store",state="not_ready"} 0',
    ]);
  });
});

describe('the certificate', () => {
  it('has its end told, and whether its last change could be used; without TLS there is nothing to tell', async () => {
    const { metrics, series } = setUp();
    expect(await series('latchkey_certificate_not_after_timestamp_seconds')).toEqual([]);
    expect(await series('latchkey_certificate_last_reload_successful')).toEqual([]);
    metrics.certificateLoaded(1_800_000_000_000);
    expect(await series('latchkey_certificate_not_after_timestamp_seconds')).toEqual([
      '1800000000',
    ]);
    metrics.certificateRejected();
    expect(await series('latchkey_certificate_last_reload_successful')).toEqual(['0']);
    metrics.certificateLoaded(1_800_000_000_000);
    expect(await series('latchkey_certificate_last_reload_successful')).toEqual(['1']);
  });
});

describe('the policy', () => {
  it('in force is named by its digest, and only that one', async () => {
    const { metrics, series } = setUp();
    metrics.policyLoaded({ sha256: 'one', generation: 1, ruleNames: [] });
    metrics.policyLoaded({ sha256: 'two', generation: 2, ruleNames: [] });

    expect(await series('latchkey_policy_info')).toEqual(['{sha256="two"} 1']);
    expect(await series('latchkey_policy_generation')).toEqual(['2']);
    expect(await series('latchkey_policy_last_reload_successful')).toEqual(['1']);
  });

  it('that was rejected turns the gauge until the file is right again', async () => {
    const { metrics, load, series, advance } = setUp();
    load('r');
    advance(1000);
    metrics.policyRejected();

    expect(await series('latchkey_policy_last_reload_successful')).toEqual(['0']);
    expect(await series('latchkey_policy_last_reload_timestamp_seconds')).toEqual(['1790000006']);
    expect(await series('latchkey_policy_reload_failures_total')).toEqual(['1']);
    expect(await series('latchkey_policy_info')).toEqual(['{sha256="abc"} 1']);

    metrics.policyRestored();
    expect(await series('latchkey_policy_last_reload_successful')).toEqual(['1']);
  });
});

describe('a scrape', () => {
  it('has the content type of its format', async () => {
    const { contentType } = await setUp().metrics.scrape();
    expect(contentType).toBe('text/plain; version=0.0.4; charset=utf-8');
  });

  it('counts lookups, faults and lost lines, from zero on', async () => {
    const { metrics, series } = setUp();
    expect(await series('latchkey_lookups_total')).toContain('{outcome="unavailable"} 0');
    expect(await series('latchkey_faults_total')).toEqual(['0']);

    metrics.lookupEnded('found', 2);
    metrics.lookupEnded('unavailable', 1000);
    metrics.fault();
    metrics.logLineDropped();
    metrics.denialSuppressed('key_unknown');

    expect(await series('latchkey_lookups_total')).toContain('{outcome="found"} 1');
    expect(await series('latchkey_lookup_duration_seconds_count')).toEqual(['1']);
    expect(await series('latchkey_faults_total')).toEqual(['1']);
    expect(await series('latchkey_log_lines_dropped_total')).toEqual(['1']);
    expect(await series('latchkey_log_denials_suppressed_total')).toEqual([
      '{reason="key_unknown"} 1',
    ]);
    expect(await series('latchkey_build_info')).toEqual([
      '{version="1.2.3",node_version="v26.0.0"} 1',
    ]);
  });

  it('can be taken from two registries of one process without mixing them up', async () => {
    const [one, two] = [setUp(), setUp()];
    one.metrics.fault();
    expect(await two.series('latchkey_faults_total')).toEqual(['0']);
  });
});
