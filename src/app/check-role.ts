import { randomUUID } from 'node:crypto';
import { ok, type Result } from '../accounts/result.ts';
import type { ServeConfig } from '../config/serve-config.ts';
import type { Part } from '../lifecycle.ts';
import type { PolicySource } from '../policy/source.ts';
import { createChangeFeed } from '../postgres/change-feed.ts';
import { createChangeHints } from '../postgres/change-hints.ts';
import { createKeyStore } from '../postgres/key-store.ts';
import { createReplicaRegistry } from '../postgres/replica-registry.ts';
import { createUsageStore } from '../postgres/usage-store.ts';
import { PepperKeyring } from '../secrets/pepper-keyring.ts';
import { type CheckService, createCheckService } from './check-service.ts';
import { addressText, openGrpc } from './open-grpc.ts';
import type { SchemaStanding } from './schema-standing.ts';
import type { Surroundings } from './server.ts';
import type { OpenStore } from './store.ts';
import { storeStanding } from './store-standing.ts';
import { systemClock } from './system.ts';
import { watchStore } from './watch-store.ts';

const SERVICE_STOP_MS = 3000;

export interface CheckRoleParts extends Surroundings {
  readonly policy: PolicySource;
  readonly store: OpenStore;
  readonly schema: SchemaStanding;
  readonly storePart: Part;
  readonly listener: Part;
  /** With TLS only. */
  readonly certificate: Part | undefined;
}

export interface OpenCheckRole {
  /** Where Envoy asks. */
  readonly address: string;
  reloadCertificates(): Promise<void>;
}

/** Decides for Envoy: the service that decides, and the port that it is asked on. */
export async function openCheckRole(
  config: ServeConfig,
  parts: CheckRoleParts,
): Promise<Result<OpenCheckRole>> {
  const { telemetry, lifecycle, health, store } = parts;
  const service = createService(config, parts);
  const watch = watchStore({
    ...{ part: parts.storePart, telemetry, database: store.database, schema: parts.schema },
    onSchema: () => service.start(),
    standing: () =>
      storeStanding({
        follower: service.follower.state(),
        staleWindowMs: config.cache.staleWindowMs,
        now: systemClock(),
      }),
  });
  lifecycle.onStop({
    name: 'service',
    deadlineMs: SERVICE_STOP_MS,
    async run() {
      watch.stop();
      await service.stop();
    },
  });
  const grpc = await openGrpc(config, { ...parts, handler: service.handler });
  if (grpc.kind === 'refused') return grpc;
  telemetry.metrics.readFrom({
    cache: () => service.memory.stats(),
    lookups: () => service.lookups.stats(),
    follower: () => service.follower.state(),
    limits: () => service.limits.stats(),
    connections: () => grpc.value.connectionCount,
    bounds: { ...config.cache, ...config.lookups },
  });
  health.set = grpc.value.setServing;
  parts.listener.ready();
  telemetry.log('info', 'limits hold per replica: N replicas admit up to N times a quota');
  const { reloadCertificates } = grpc.value;
  return ok({ address: addressText(grpc.value), reloadCertificates });
}

function createService(
  config: ServeConfig,
  { telemetry, policy, store }: CheckRoleParts,
): CheckService {
  const { database, listenUrl } = store;
  return createCheckService({
    policy: policy.current,
    keys: createKeyStore(database, telemetry.log),
    keyring: new PepperKeyring(config.peppers),
    feed: createChangeFeed(database),
    hints: createChangeHints({
      url: listenUrl,
      applicationName: 'latchkey-listen',
      log: telemetry.log,
      random: Math.random,
    }),
    registry: createReplicaRegistry(database, { id: randomUUID(), name: config.replicaName }),
    usage: createUsageStore(database),
    cache: { ...config.cache, ...config.lookups },
    limits: config.limits,
    ...{ observer: telemetry.observer, cacheObserver: telemetry.cacheObserver },
    onFault: telemetry.onFault,
  });
}
