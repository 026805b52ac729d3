import { randomUUID } from 'node:crypto';
import { ok, type Result, refusal } from '../accounts/result.ts';
import type { ServeConfig } from '../config/serve-config.ts';
import { type AdminServer, startAdminServer } from '../http/admin.ts';
import { createLifecycle, type Lifecycle, type Part, type StopReport } from '../lifecycle.ts';
import type { FilePolicy } from '../policy/compile.ts';
import { formatProblem } from '../policy/problem.ts';
import { createPolicySource, type PolicyEvent, type PolicySource } from '../policy/source.ts';
import { createChangeFeed } from '../postgres/change-feed.ts';
import { createChangeHints } from '../postgres/change-hints.ts';
import { createKeyStore } from '../postgres/key-store.ts';
import type { Database } from '../postgres/pool.ts';
import { createReplicaRegistry } from '../postgres/replica-registry.ts';
import { checkSchema } from '../postgres/schema.ts';
import { createUsageStore } from '../postgres/usage-store.ts';
import { PepperKeyring } from '../secrets/pepper-keyring.ts';
import type { LogSink } from '../telemetry/logger.ts';
import { type CheckService, createCheckService } from './check-service.ts';
import { tellLifecycle } from './events.ts';
import { schemaProblem } from './open-accounts.ts';
import { addressText, openGrpc } from './open-grpc.ts';
import { watchStore } from './readiness.ts';
import { type OpenStore, openStore } from './store.ts';
import { systemClock, systemSchedule } from './system.ts';
import { createTelemetry, type Telemetry } from './telemetry.ts';
import { packageVersion } from './version.ts';

export interface RunningServer {
  readonly database: Database;
  readonly policy: () => FilePolicy;
  readonly lifecycle: Lifecycle;
  /** Where Envoy asks, as it would be configured. */
  readonly checkAddress: string;
  readonly adminAddress: { readonly host: string; readonly port: number };
  reloadPolicy(): Promise<void>;
  stop(reason?: string): Promise<StopReport>;
}

const STORE_CLOSE_MS = 20_000;
const SERVICE_STOP_MS = 5000;
const ADMIN_CLOSE_MS = 2000;
const SCHEMA_TIMEOUT_MS = 5000;

/**
 * A running latchkey. Opens in the order in which a request needs it and closes the other way round; whatever fails halfway
 * closes what was opened.
 */
export async function startServer(
  config: ServeConfig,
  { sink }: { readonly sink: LogSink },
): Promise<Result<RunningServer>> {
  const telemetry = createTelemetry(config, { sink, version: packageVersion() });
  const health: { set: (serving: boolean) => void } = { set: () => {} };
  const lifecycle = createLifecycle({
    clock: systemClock,
    schedule: systemSchedule,
    settleMs: config.drain.waitMs,
    onEvent(event) {
      tellLifecycle(event, telemetry.log);
      if (event.kind === 'readiness_changed') health.set(event.to !== 'not_ready');
    },
  });
  const started = await open(config, { telemetry, lifecycle, health });
  if (started.kind === 'refused') {
    await lifecycle.stop('the start failed');
    telemetry.close();
  }
  return started;
}

interface Surroundings {
  readonly telemetry: Telemetry;
  readonly lifecycle: Lifecycle;
  /** What gRPC health says follows readiness, once there is a server to say it. */
  readonly health: { set: (serving: boolean) => void };
}

async function open(config: ServeConfig, around: Surroundings): Promise<Result<RunningServer>> {
  const { telemetry, lifecycle, health } = around;
  // All parts before the first is ready: otherwise the process would be ready for a moment with half of them.
  const parts = {
    policy: lifecycle.part('policy'),
    store: lifecycle.part('store'),
    listener: lifecycle.part('listener'),
  };
  const policy = await openPolicy(config.policyFile, { ...around, part: parts.policy });
  if (policy.kind === 'refused') return policy;
  const store = await openStore(config.store, {
    applicationName: 'latchkey',
    log: telemetry.log,
    running: 'refuse',
  });
  if (store.kind === 'refused') return store;
  lifecycle.onStop({ name: 'store', deadlineMs: STORE_CLOSE_MS, run: () => store.value.close() });

  const admin = await openAdmin(config, around);
  if (admin.kind === 'refused') return admin;
  const service = createService(config, { ...around, policy: policy.value, store: store.value });
  const schema = (): Promise<string | undefined> => askSchema(store.value.database);
  // A database that does not answer is waited for; one that answers and does not fit is told at once.
  const problem = await schema().catch(() => 'silent' as const);
  if (problem !== undefined && problem !== 'silent') return refusal('conflict', problem);
  const watch = watchStore(
    {
      ...{ part: parts.store, follower: service.follower, log: telemetry.log, schema },
      onSchema: () => service.start(),
    },
    problem === undefined,
  );
  lifecycle.onStop({
    name: 'service',
    deadlineMs: SERVICE_STOP_MS,
    async run() {
      watch.stop();
      await service.stop();
    },
  });
  telemetry.metrics.readFrom({
    cache: () => service.cache.stats(),
    lookups: () => service.lookups.stats(),
    follower: () => service.follower.state(),
    limits: () => service.limits.stats(),
  });
  const grpc = await openGrpc(config, { ...around, handler: service.handler });
  if (grpc.kind === 'refused') return grpc;
  health.set = grpc.value.setServing;
  parts.listener.ready();
  telemetry.log('info', 'limits hold per replica: N replicas admit up to N times a quota');
  return ok({
    database: store.value.database,
    policy: policy.value.current,
    lifecycle,
    checkAddress: addressText(grpc.value),
    adminAddress: admin.value.address,
    async reloadPolicy() {
      await policy.value.reload();
    },
    async stop(reason = 'asked to') {
      const report = await lifecycle.stop(reason);
      telemetry.close();
      return report;
    },
  });
}

async function askSchema(database: Database): Promise<string | undefined> {
  return schemaProblem(await checkSchema(database, AbortSignal.timeout(SCHEMA_TIMEOUT_MS)));
}

async function openPolicy(
  file: string,
  { telemetry, lifecycle, part }: Surroundings & { readonly part: Part },
): Promise<Result<PolicySource>> {
  let source: PolicySource | undefined;
  const waiting: PolicyEvent[] = [];
  const tell = (event: PolicyEvent): void => {
    // The first event comes before there is a source to ask.
    if (source === undefined) waiting.push(event);
    else telemetry.onPolicy(event, source.current, file);
  };
  const started = await createPolicySource({
    path: file,
    onEvent(event) {
      tell(event);
      if (event.kind === 'rejected') part.degraded('the changed policy file was rejected');
      else part.ready();
    },
  });
  if (started.kind === 'rejected') {
    const lines = started.errors.map((problem) => `${file}:${formatProblem(problem)}`);
    return refusal('conflict', `The policy has errors.\n${lines.join('\n')}`);
  }
  source = started.source;
  for (const event of waiting) tell(event);
  lifecycle.onStop({ name: 'policy', deadlineMs: ADMIN_CLOSE_MS, run: started.source.close });
  return ok(started.source);
}

async function openAdmin(
  { adminListen }: ServeConfig,
  { telemetry, lifecycle }: Surroundings,
): Promise<Result<AdminServer>> {
  const started = await startAdminServer({
    listen: adminListen,
    readiness: lifecycle.readiness,
    scrape: telemetry.metrics.scrape,
    onFault: telemetry.onFault,
  });
  if (started.kind === 'failed') return refusal('conflict', started.message);
  lifecycle.onStop({
    name: 'admin',
    deadlineMs: ADMIN_CLOSE_MS,
    run: () => started.server.close(),
  });
  return ok(started.server);
}

function createService(
  config: ServeConfig,
  parts: Surroundings & { readonly policy: PolicySource; readonly store: OpenStore },
): CheckService {
  const { telemetry, policy, store } = parts;
  const { database } = store;
  return createCheckService({
    policy: policy.current,
    keys: createKeyStore(database, telemetry.log),
    keyring: new PepperKeyring(config.peppers),
    feed: createChangeFeed(database),
    hints: createChangeHints({
      url: store.listenUrl,
      applicationName: 'latchkey-listen',
      log: telemetry.log,
      random: Math.random,
    }),
    registry: createReplicaRegistry(database, { id: randomUUID(), name: config.replicaName }),
    usage: createUsageStore(database),
    ...{ cache: config.cache, lookups: config.lookups, limits: config.limits },
    ...{ observer: telemetry.observer, cacheObserver: telemetry.cacheObserver },
    onFault: telemetry.onFault,
  });
}
