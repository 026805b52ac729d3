import { ok, type Result, refusal } from '../accounts/result.ts';
import type { ServeConfig } from '../config/serve-config.ts';
import { type AdminServer, startAdminServer } from '../http/admin.ts';
import { createLifecycle, type Lifecycle, type Part, type StopReport } from '../lifecycle.ts';
import type { FilePolicy } from '../policy/compile.ts';
import { formatProblem } from '../policy/problem.ts';
import { createPolicySource, type PolicyEvent, type PolicySource } from '../policy/source.ts';
import type { Database } from '../postgres/pool.ts';
import { openApiRole } from './api-role.ts';
import { openCheckRole } from './check-role.ts';
import { tellLifecycle } from './events.ts';
import { schemaStanding } from './schema-standing.ts';
import { openStore } from './store.ts';
import { storeProblem } from './store-problem.ts';
import { systemClock, systemSchedule } from './system.ts';
import { createTelemetry, type OpenSink, type Telemetry } from './telemetry.ts';
import { packageVersion } from './version.ts';

export interface RunningServer {
  readonly database: Database;
  readonly policy: () => FilePolicy;
  readonly adminAddress: { readonly host: string; readonly port: number };
  /** Resolves when it cannot go on and is to be stopped, with what to tell the operator. */
  readonly lost: Promise<string>;
  /** Reads the policy file and the certificates now. */
  reload(): Promise<void>;
  stop(reason?: string): Promise<StopReport>;
}

const POLICY_REJECTED =
  'the changed policy file has errors (see the log); the one before stays in force';

/** With the drain's default times a stop takes at most 25 seconds: less than the 30 that Kubernetes gives. */
const STORE_CLOSE_MS = 3000;
/** Its server writes everything to disk first. */
const EMBEDDED_CLOSE_MS = 20_000;
const ADMIN_CLOSE_MS = 1000;

/**
 * A running latchkey. Opens in the order in which a request needs it and closes the other way round; whatever fails halfway
 * closes what was opened.
 */
export async function startServer(
  config: ServeConfig,
  { openSink }: { readonly openSink: OpenSink },
): Promise<Result<RunningServer>> {
  const telemetry = createTelemetry(config, { openSink, version: packageVersion() });
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
  const closeAll = async (): Promise<void> => {
    await lifecycle.stop('the start failed');
    await telemetry.close();
  };
  try {
    const started = await open(config, { telemetry, lifecycle, health });
    if (started.kind === 'refused') await closeAll();
    return started;
  } catch (error) {
    await closeAll();
    const explained = storeProblem(error);
    if (explained === undefined) throw error;
    return explained;
  }
}

export interface Surroundings {
  readonly telemetry: Telemetry;
  readonly lifecycle: Lifecycle;
  /** What gRPC health says follows readiness, once there is a server to say it. */
  readonly health: { set: (serving: boolean) => void };
}

async function open(config: ServeConfig, around: Surroundings): Promise<Result<RunningServer>> {
  const { telemetry, lifecycle } = around;
  // All parts before the first is ready: otherwise the process would be ready for a moment with half of them.
  const parts = {
    policy: lifecycle.part('policy'),
    store: lifecycle.part('store'),
  };
  const listener = config.role === 'api' ? undefined : lifecycle.part('listener');
  const certificate = listener && config.tls ? lifecycle.part('certificate') : undefined;
  telemetry.metrics.readParts(() => lifecycle.readiness().parts);
  const policy = await openPolicy(config.policyFile, { ...around, part: parts.policy });
  if (policy.kind === 'refused') return policy;
  const store = await openStore(config.store, {
    applicationName: 'latchkey',
    log: telemetry.log,
    running: 'refuse',
  });
  if (store.kind === 'refused') return store;
  lifecycle.onStop({
    name: 'store',
    deadlineMs: config.store.kind === 'embedded' ? EMBEDDED_CLOSE_MS : STORE_CLOSE_MS,
    run: () => store.value.close(),
  });
  void store.value.lost.then((problem) => {
    telemetry.log('error', 'the embedded Postgres is lost', { problem });
  });

  const admin = await openAdmin(config, around);
  if (admin.kind === 'refused') return admin;
  // A database that does not answer is waited for; one that answers and does not fit is told at once.
  const schema = await schemaStanding(store.value.database);
  if (schema.kind === 'problem') return refusal('conflict', schema.message);
  const opened = { ...around, policy: policy.value, store: store.value, schema };
  const roleParts = { ...opened, storePart: parts.store };
  const check =
    listener === undefined
      ? undefined
      : await openCheckRole(config, { ...roleParts, listener, certificate });
  if (check?.kind === 'refused') return check;
  if (check === undefined) openApiRole(roleParts);
  const { host, port } = admin.value.address;
  telemetry.log('info', 'serving', {
    ...{ role: config.role, check: check?.value.address, admin: `${host}:${port}` },
  });
  return ok({
    database: store.value.database,
    policy: policy.value.current,
    adminAddress: admin.value.address,
    lost: store.value.lost,
    async reload() {
      await Promise.all([policy.value.reload(), check?.value.reloadCertificates()]);
    },
    async stop(reason = 'asked to') {
      const report = await lifecycle.stop(reason);
      await telemetry.close();
      return report;
    },
  });
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
      if (event.kind === 'rejected') part.degraded(POLICY_REJECTED);
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
