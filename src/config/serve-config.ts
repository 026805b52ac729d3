/**
 * What `latchkey serve` runs with: the contract between config/, which reads it from flags and environment, and app/, which
 * builds from it. Times in milliseconds.
 */
export interface ServeConfig {
  readonly role: 'check' | 'api' | 'all';
  readonly store: StoreConfig;
  readonly policyFile: string;
  readonly checkListen: ListenConfig;
  readonly tls: TlsConfig | undefined;
  readonly adminListen: { readonly host: string; readonly port: number };
  readonly peppers: readonly PepperConfig[];
  readonly replicaName: string;
  readonly cache: {
    readonly credentialsMax: number;
    readonly ttlMs: number;
    readonly staleWindowMs: number;
  };
  readonly lookups: {
    readonly loadsMax: number;
    readonly queueMax: number;
    readonly loadTimeoutMs: number;
    readonly missesPerClient: { readonly perSecond: number; readonly burst: number };
  };
  /** Buckets in memory, per partition of the limiter. */
  readonly limits: {
    readonly identity: number;
    readonly address: number;
    readonly failure: number;
  };
  /** How long each phase of a stop may take; see lifecycle.ts. */
  readonly drain: {
    /** Health says NOT_SERVING for so long before connections are asked to leave. */
    readonly waitMs: number;
    /** Connections may finish their calls for so long after that. */
    readonly graceMs: number;
  };
  readonly log: {
    readonly level: 'debug' | 'info' | 'warn' | 'error' | 'silent';
    /** Denial lines per second and reason; what is beyond is counted and told in one line. */
    readonly denialsPerSecond: number;
  };
}

export type StoreConfig = DatabaseConfig | { readonly kind: 'embedded'; readonly dataDir: string };

export interface DatabaseConfig {
  readonly kind: 'database';
  /** Holds a password: never to be logged. */
  readonly url: string;
  /** A direct address for LISTEN where `url` is a pooler's. */
  readonly listenUrl: string | undefined;
  readonly preparedStatements: boolean;
}

export type ListenConfig =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number };

export interface TlsConfig {
  readonly certFile: string;
  readonly keyFile: string;
  readonly clientCaFile: string | undefined;
}

export interface PepperConfig {
  readonly version: number;
  readonly key: Uint8Array;
}
