import { randomUUID } from 'node:crypto';
import { systemSchedule } from '../../../src/app/system.ts';
import { ApiKeySource } from '../../../src/authenticators/api-key.ts';
import { type CacheSettings, composeCache } from '../../../src/cache/compose.ts';
import type { ChangeHints, CredentialSource } from '../../../src/cache/ports.ts';
import { digestKey } from '../../../src/key-text/digest.ts';
import type { Clock } from '../../../src/model/clock.ts';
import type { Digest } from '../../../src/model/ids.ts';
import type { Fact } from '../../../src/model/memory.ts';
import type { KnownCredential } from '../../../src/model/subject.ts';
import { createChangeFeed } from '../../../src/postgres/change-feed.ts';
import { createChangeHints } from '../../../src/postgres/change-hints.ts';
import { createKeyStore } from '../../../src/postgres/key-store.ts';
import { createReplicaRegistry } from '../../../src/postgres/replica-registry.ts';
import { PepperKeyring } from '../../../src/secrets/pepper-keyring.ts';
import { CACHE_SETTINGS } from '../../support/cache-settings.ts';
import type { TestPostgres } from '../../support/postgres.ts';
import { until } from '../../support/until.ts';

const clock: Clock = () => ({ wallMs: Date.now(), monoMs: performance.now() });

/** What a caller of Check waits at most. */
const PATIENCE_MS = 200;

export interface ReplicaOptions {
  /** The address of the pool, if it is not the server's own. */
  readonly url?: string;
  /** The address for LISTEN; `null`: it is not to be had, changes are seen by polling alone. */
  readonly listenUrl?: string | null;
  readonly settings?: Partial<CacheSettings>;
  /** Put between the reading of a row and its arrival. */
  readonly barrier?: () => Promise<void>;
}

export type Answer = 'valid' | 'revoked' | 'absent' | 'unavailable';

/** One sidecar's cache as it runs in production: the real clock, pool, listener and registry. */
export class Replica {
  readonly id = randomUUID();
  readonly cache;
  readonly faults: unknown[] = [];
  loads = 0;
  readonly #database;

  constructor(postgres: TestPostgres, options: ReplicaOptions = {}) {
    const url = options.url ?? postgres.url;
    this.#database = postgres.database({ url, applicationName: 'latchkey-test-replica' });
    const store = createKeyStore(this.#database, () => {});
    const keys = new ApiKeySource({ store, keyring: new PepperKeyring([]) });
    const source: CredentialSource = {
      load: async (kind, digest, signal) => {
        this.loads += 1;
        const loaded = await keys.load(kind, digest, signal);
        await options.barrier?.();
        return loaded;
      },
    };
    this.cache = composeCache(
      {
        source,
        feed: createChangeFeed(this.#database),
        hints: hintsOf(options.listenUrl === undefined ? postgres.url : options.listenUrl),
        registry: createReplicaRegistry(this.#database, { id: this.id, name: 'test' }),
        clock,
        schedule: systemSchedule,
        random: Math.random,
        observer: {
          loadEnded: () => {},
          historyLost: () => {},
          fault: (error) => this.faults.push(error),
        },
      },
      { ...CACHE_SETTINGS, ...options.settings },
    );
  }

  async start(): Promise<this> {
    this.cache.follower.start();
    await until('the first read', () => this.cache.follower.state().firstReadDone);
    return this;
  }

  async stop(): Promise<void> {
    await this.cache.follower.stop();
    await this.#database.close();
  }

  /** From memory, without any waiting. */
  find(text: string): Answer | undefined {
    const found = this.cache.memory.find('api_key', digestKey(text), clock());
    return found === undefined ? undefined : answerOf(found);
  }

  /** As a request would, and how long it waited. */
  async ask(text: string, client = '192.0.2.1'): Promise<{ answer: Answer; waitedMs: number }> {
    const startedMs = performance.now();
    const known = this.find(text);
    if (known !== undefined) return { answer: known, waitedMs: performance.now() - startedMs };
    const fact = await this.resolve(digestKey(text), client);
    return { answer: answerOf(fact), waitedMs: performance.now() - startedMs };
  }

  async answer(text: string): Promise<Answer> {
    return (await this.ask(text)).answer;
  }

  resolve(digest: Digest, clientBucket: string, patienceMs = PATIENCE_MS): Promise<Fact> {
    const need = {
      ...({ kind: 'need', credentialKind: 'api_key', isAfterFailures: false } as const),
      ...{ digest, clientBucket },
    };
    return this.cache.lookups.resolve(need, performance.now() + patienceMs);
  }
}

function answerOf(given: KnownCredential | Fact | 'absent'): Answer {
  if (given === 'absent') return 'absent';
  if ('subject' in given) return given.subject.revokedAtMs === null ? 'valid' : 'revoked';
  return given.kind === 'found' ? answerOf(given.credential) : given.kind;
}

function hintsOf(url: string | null): ChangeHints {
  if (url === null) return { start: () => {}, stop: async () => {} };
  return createChangeHints({
    url,
    applicationName: 'latchkey-test-replica-listener',
    log: () => {},
    random: Math.random,
    heartbeatMs: 500,
    heartbeatTimeoutMs: 500,
    backoffMsMax: 500,
  });
}
