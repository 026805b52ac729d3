import { startBareEnvoy } from './bare-envoy.ts';
import { type CheckClient, createCheckClient } from './check-client.ts';
import type { HeaderMode } from './check-messages.ts';
import { createTestKeys, type TestKeys, type TestOwners } from './e2e-keys.ts';
import { type EnvoySetup, startEnvoy, type TestEnvoy } from './envoy.ts';
import { startTestPostgres, type TestPostgres } from './postgres.ts';
import { type Sidecar, startSidecar, type Variables } from './sidecar.ts';

/** A Postgres and a sidecar, and whatever is added to them; stopped in the opposite order. */
export interface Stack {
  readonly postgres: TestPostgres;
  readonly sidecar: Sidecar;
  readonly keys: TestKeys & { readonly owners: TestOwners };
  /** The reference configuration in front of the sidecar. */
  addEnvoy(mode?: HeaderMode, more?: MoreSetup): Promise<TestEnvoy>;
  /** An Envoy without any hardening. */
  addBareEnvoy(mode?: HeaderMode, more?: MoreSetup): Promise<TestEnvoy>;
  /** Straight to the sidecar. */
  addCheckClient(): CheckClient;
  /** Something else to stop with the stack, before all that is older. */
  onStop(stop: () => unknown): void;
  stop(): Promise<void>;
}

export type MoreSetup = Pick<EnvoySetup, 'version' | 'namedRules'>;

export async function startStack(
  setup: { readonly variables?: Variables; readonly databaseUrl?: (url: string) => string } = {},
): Promise<Stack> {
  const stops: (() => unknown)[] = [];
  const stop = async (): Promise<void> => {
    for (const next of stops.splice(0).reverse()) await next();
  };
  try {
    const postgres = await startTestPostgres();
    stops.push(() => postgres.close());
    const databaseUrl = setup.databaseUrl?.(postgres.url) ?? postgres.url;
    const keys = await createTestKeys(postgres);
    const sidecar = await startSidecar({ databaseUrl, variables: setup.variables ?? {} });
    stops.push(() => sidecar.stop());
    const add = async (started: Promise<TestEnvoy>): Promise<TestEnvoy> => {
      const envoy = await started;
      stops.push(() => envoy.stop());
      await envoy.whenHealthy();
      return envoy;
    };
    const at = (mode: HeaderMode, more: MoreSetup): EnvoySetup => ({
      check: { socketPath: sidecar.socketPath },
      rawHeaders: mode === 'raw',
      ...more,
    });
    return {
      ...{ postgres, sidecar, keys, stop },
      addEnvoy: (mode = 'raw', more = {}) => add(startEnvoy(at(mode, more))),
      addBareEnvoy: (mode = 'raw', more = {}) => add(startBareEnvoy(at(mode, more))),
      addCheckClient() {
        const client = createCheckClient({ path: sidecar.socketPath });
        stops.push(() => client.close());
        return client;
      },
      onStop: (next) => void stops.push(next),
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
