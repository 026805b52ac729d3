/** One metric as docs/metrics.md tells it. Every metric and every label of latchkey is in this file. */
export interface MetricEntry {
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly name: `latchkey_${string}`;
  readonly help: string;
  readonly labels: readonly string[];
}

/**
 * Label values come from fixed sets, from the policy file (rules), or from the process (versions, digests of policies):
 * never from a request, since every new value is a series that stays for the life of the process.
 */
export const CATALOG = {
  decisions: {
    type: 'counter',
    name: 'latchkey_decisions_total',
    help: 'Answered checks. reason is allowed or the reason of the denial, rule is the name of the route rule, none where no rule was found.',
    labels: ['reason', 'rule'],
  },
  checkDuration: {
    type: 'histogram',
    name: 'latchkey_check_duration_seconds',
    help: 'From the arrival of a check to its answer. answered_from is memory, or store where a lookup was waited for.',
    labels: ['answered_from'],
  },
  faults: {
    type: 'counter',
    name: 'latchkey_faults_total',
    help: 'Errors that are no outages: bugs, and statements that the database refuses. Any increase is worth a look at the log.',
    labels: [],
  },
  cacheRequests: {
    type: 'counter',
    name: 'latchkey_cache_requests_total',
    help: 'Questions to the memory of credentials. result is hit, absence (known not to exist) or miss.',
    labels: ['result'],
  },
  cacheStaleHits: {
    type: 'counter',
    name: 'latchkey_cache_stale_hits_total',
    help: 'Hits, counted as such too, that nothing had confirmed for longer than the TTL: they grow while the store is away.',
    labels: [],
  },
  cacheSuspectsServed: {
    type: 'counter',
    name: 'latchkey_cache_suspects_served_total',
    help: 'Credentials served within the stale window although something about them may have changed, because the store did not answer.',
    labels: [],
  },
  cacheEntries: {
    type: 'gauge',
    name: 'latchkey_cache_entries',
    help: 'Entries in memory. kind is credential, subject or absence.',
    labels: ['kind'],
  },
  cacheCredentialsMax: {
    type: 'gauge',
    name: 'latchkey_cache_credentials_max',
    help: 'Room for credentials in memory (LATCHKEY_CACHE_CREDENTIALS_MAX).',
    labels: [],
  },
  cacheStaleWindow: {
    type: 'gauge',
    name: 'latchkey_cache_stale_window_seconds',
    help: 'How long known keys go on working while the store is away (LATCHKEY_STALE_WINDOW).',
    labels: [],
  },
  cacheEvictions: {
    type: 'counter',
    name: 'latchkey_cache_evictions_total',
    help: 'Credentials pushed out because the cache was full. A steady rate means that it is too small for the keys in use.',
    labels: [],
  },
  lookups: {
    type: 'counter',
    name: 'latchkey_lookups_total',
    help: 'Finished lookups in the store. outcome is found, absent, fenced (too old to be used, made again) or unavailable.',
    labels: ['outcome'],
  },
  lookupDuration: {
    type: 'histogram',
    name: 'latchkey_lookup_duration_seconds',
    help: 'Duration of the lookups that the store answered.',
    labels: [],
  },
  lookupsInFlight: {
    type: 'gauge',
    name: 'latchkey_lookups_in_flight',
    help: 'Lookups under way.',
    labels: [],
  },
  lookupsQueued: {
    type: 'gauge',
    name: 'latchkey_lookups_queued',
    help: 'Lookups that wait for a connection. kind is request (somebody waits for it) or refresh.',
    labels: ['kind'],
  },
  lookupsQueueMax: {
    type: 'gauge',
    name: 'latchkey_lookups_queue_max',
    help: 'How many requests may wait for a lookup (LATCHKEY_LOOKUP_QUEUE_MAX); beyond it they get 503.',
    labels: [],
  },
  lookupCircuitOpen: {
    type: 'gauge',
    name: 'latchkey_lookup_circuit_open',
    help: '1 while lookups are refused at once because the store did not answer the last ones. It is tried again every second.',
    labels: [],
  },
  followerConnected: {
    type: 'gauge',
    name: 'latchkey_follower_connected',
    help: '1 while notifications of changes arrive. At 0 changes are seen by polling alone, within two seconds: as expected behind a pooler.',
    labels: [],
  },
  followerVersion: {
    type: 'gauge',
    name: 'latchkey_follower_version',
    help: 'Version of the last change that was applied; 0 before the first read. Replicas of one database show the same.',
    labels: [],
  },
  followerLag: {
    type: 'gauge',
    name: 'latchkey_follower_lag_versions',
    help: 'Changes that the store is known to have and that are not applied yet.',
    labels: [],
  },
  followerConfirmedAge: {
    type: 'gauge',
    name: 'latchkey_follower_confirmed_age_seconds',
    help: 'How long ago this replica last knew that it had seen every change. +Inf before the first read. Beyond the stale window every key gets 503.',
    labels: [],
  },
  followerAnnouncedAge: {
    type: 'gauge',
    name: 'latchkey_follower_announced_age_seconds',
    help: 'How long ago this replica last told the others which changes it has applied. +Inf before the first time. While it grows, `keys revoke --wait` waits for this replica.',
    labels: [],
  },
  limiterBuckets: {
    type: 'gauge',
    name: 'latchkey_limiter_buckets',
    help: 'Limits being counted in memory. partition is identity (keys, users, organizations), address (of clients) or failure (failed authentications).',
    labels: ['partition'],
  },
  limiterBucketsMax: {
    type: 'gauge',
    name: 'latchkey_limiter_buckets_max',
    help: 'Room for them (LATCHKEY_LIMITER_IDENTITIES_MAX and so on).',
    labels: ['partition'],
  },
  limiterEvictions: {
    type: 'counter',
    name: 'latchkey_limiter_evictions_total',
    help: 'Limits that were forgotten. state is full (nothing was drawn any more: no loss) or early (for lack of room: somebody may draw again too soon).',
    labels: ['partition', 'state'],
  },
  policyInfo: {
    type: 'gauge',
    name: 'latchkey_policy_info',
    help: '1 for the policy in force, by the SHA-256 of its file.',
    labels: ['sha256'],
  },
  policyGeneration: {
    type: 'gauge',
    name: 'latchkey_policy_generation',
    help: 'Counts up with every policy that was put in force.',
    labels: [],
  },
  policyReloadSuccessful: {
    type: 'gauge',
    name: 'latchkey_policy_last_reload_successful',
    help: '0 while the policy file has errors and the policy before it stays in force.',
    labels: [],
  },
  policyReloadTime: {
    type: 'gauge',
    name: 'latchkey_policy_last_reload_timestamp_seconds',
    help: 'When a changed policy file was last read, whether it was put in force or not.',
    labels: [],
  },
  policyReloadFailures: {
    type: 'counter',
    name: 'latchkey_policy_reload_failures_total',
    help: 'Changed policy files that were rejected.',
    labels: [],
  },
  denialLinesSuppressed: {
    type: 'counter',
    name: 'latchkey_log_denials_suppressed_total',
    help: 'Denials without a log line of their own, because there were too many of that reason in one second (LATCHKEY_DENIAL_LOG_RATE).',
    labels: ['reason'],
  },
  logLinesDropped: {
    type: 'counter',
    name: 'latchkey_log_lines_dropped_total',
    help: 'Log lines lost because whoever reads the log was too slow or gone.',
    labels: [],
  },
  certificateNotAfter: {
    type: 'gauge',
    name: 'latchkey_certificate_not_after_timestamp_seconds',
    help: 'When the certificate for Envoy’s connection runs out. Missing without TLS.',
    labels: [],
  },
  certificateReloadSuccessful: {
    type: 'gauge',
    name: 'latchkey_certificate_last_reload_successful',
    help: '0 while the certificate files cannot be used and the certificate before them stays in use. Missing without TLS.',
    labels: [],
  },
  grpcConnections: {
    type: 'gauge',
    name: 'latchkey_grpc_connections',
    help: 'Open connections of Envoys, health checks included. At 0 no Envoy asks this replica.',
    labels: [],
  },
  partState: {
    type: 'gauge',
    name: 'latchkey_part_state',
    help: '1 for the state in which a part of /readyz is: ready, degraded or not_ready; 0 for the other two.',
    labels: ['part', 'state'],
  },
  buildInfo: {
    type: 'gauge',
    name: 'latchkey_build_info',
    help: '1, by the versions of latchkey and Node.',
    labels: ['version', 'node_version'],
  },
} as const satisfies Record<string, MetricEntry>;
