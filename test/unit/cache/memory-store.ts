import type {
  ChangeFeed,
  ChangeHints,
  CredentialSource,
  ReplicaRegistry,
} from '../../../src/cache/ports.ts';
import {
  type Change,
  type LoadedCredential,
  type StorePosition,
  StoreUnavailableError,
} from '../../../src/model/change.ts';
import type { Digest, KeyId, OrganizationId, SubjectId } from '../../../src/model/ids.ts';
import { keySubject } from '../../../src/model/ids.ts';
import type { Subject } from '../../../src/model/subject.ts';

export const digestOf = (text: string): Digest => text.padEnd(43, '-') as Digest;

export function subjectOf(id: string, fields: Partial<Subject> = {}): Subject {
  return {
    id: keySubject(id as KeyId),
    keyId: id as KeyId,
    name: id,
    environment: 'live',
    scopes: ['read', 'write'],
    plan: null,
    organizationId: 'acme' as OrganizationId,
    organizationName: 'Acme',
    organizationPlan: 'developer',
    organizationDisabledAtMs: null,
    ownerId: null,
    ownerRole: null,
    ownerDisabledAtMs: null,
    allowedCidrs: [],
    expiresAtMs: null,
    disabledAtMs: null,
    revokedAtMs: null,
    principal: undefined,
    ...fields,
  };
}

interface Secret {
  subject: SubjectId;
  expiresAtMs: number | null;
}

/** A call that the test holds back: its answer is fixed when it is made and delivered when the test says so. */
interface Held {
  readonly deliver: () => void;
}

/**
 * The store's side of the ports in memory: keys, secrets and a change log with the guarantees that the ports ask for (one
 * version per change, in commit order; a load's position is that of its snapshot). Calls can be held back to put something
 * between the reading of a row and its arrival.
 */
export class MemoryStore {
  epoch = 'e1';
  version = 0;
  log: Change[] = [];
  readonly subjects = new Map<SubjectId, Subject>();
  readonly secrets = new Map<Digest, Secret>();
  /** `away`: every call fails at once. `silent`: no call is ever answered. */
  state: 'up' | 'away' | 'silent' = 'up';
  holdLoads = false;
  holdReads = false;
  loads = 0;
  loadsAtOnce = 0;
  loadsAtOnceMax = 0;
  reads = 0;
  heads = 0;
  readonly heldLoads: Held[] = [];
  readonly heldReads: Held[] = [];
  readonly confirmed: StorePosition[] = [];
  deregistered = 0;
  #nonces = 0;
  #handlers: Parameters<ChangeHints['start']>[0] | undefined;

  get position(): StorePosition {
    return { epoch: this.epoch, version: this.version };
  }

  create(id: string, digests: readonly string[] = [id], fields: Partial<Subject> = {}): Subject {
    const subject = subjectOf(id, fields);
    this.subjects.set(subject.id, subject);
    for (const digest of digests) {
      this.secrets.set(digestOf(digest), { subject: subject.id, expiresAtMs: null });
    }
    this.commit(subject.id, true);
    return subject;
  }

  change(id: string, fields: Partial<Subject>): void {
    const subject = subjectOf(id).id;
    const old = this.subjects.get(subject);
    if (old === undefined) throw new Error(`no key ${id}`);
    this.subjects.set(subject, { ...old, ...fields });
    this.commit(subject, false);
  }

  remove(id: string): void {
    const subject = subjectOf(id).id;
    this.subjects.delete(subject);
    for (const [digest, secret] of this.secrets) {
      if (secret.subject === subject) this.secrets.delete(digest);
    }
    this.commit(subject, false);
  }

  commit(subject: SubjectId | 'all', created: boolean): void {
    this.version += 1;
    this.#nonces += 1;
    this.log.push({ version: this.version, nonce: `n${this.#nonces}`, subject, created });
  }

  /** The database becomes another one that has the same keys: a failover, a restored copy. */
  newHistory(epoch: string, version: number): void {
    this.epoch = epoch;
    this.version = version;
    this.#nonces += 1;
    this.log = [{ version, nonce: `n${this.#nonces}`, subject: 'all', created: true }];
  }

  readonly source: CredentialSource = {
    load: (_kind, digest, signal) => {
      this.loads += 1;
      this.loadsAtOnce += 1;
      this.loadsAtOnceMax = Math.max(this.loadsAtOnceMax, this.loadsAtOnce);
      const answer = this.#answer(
        () => this.#find(digest),
        signal,
        this.holdLoads && this.heldLoads,
      );
      return answer.finally(() => {
        this.loadsAtOnce -= 1;
      });
    },
  };

  readonly feed: ChangeFeed = {
    head: (signal) => {
      this.heads += 1;
      return this.#answer(
        () => ({ at: this.position, nonce: this.log.at(-1)?.nonce ?? null }),
        signal,
        this.holdReads && this.heldReads,
      );
    },
    changesAfter: (after, limit, signal) => {
      this.reads += 1;
      return this.#answer(
        () => {
          const row = this.log.find(({ version }) => version === after.version);
          const isSame = after.epoch === this.epoch && (row?.nonce ?? null) === after.nonce;
          if (!isSame) return { kind: 'history_lost' } as const;
          const changes = this.log.filter(({ version }) => version > after.version);
          return { kind: 'changes', changes: changes.slice(0, limit) } as const;
        },
        signal,
        this.holdReads && this.heldReads,
      );
    },
  };

  readonly hints: ChangeHints = {
    start: (handlers) => {
      this.#handlers = handlers;
    },
    stop: async () => {
      this.#handlers = undefined;
    },
  };

  readonly registry: ReplicaRegistry = {
    confirm: (at, signal) => {
      const record = () => void this.confirmed.push(at);
      return this.#answer(record, signal, false);
    },
    deregister: (signal) => {
      const record = () => {
        this.deregistered += 1;
      };
      return this.#answer(record, signal, false);
    },
  };

  hint(): void {
    this.#handlers?.onHint();
  }

  listening(connected: boolean): void {
    this.#handlers?.onState(connected);
    if (connected) this.#handlers?.onHint();
  }

  #find(digest: Digest): LoadedCredential {
    const at = this.position;
    const secret = this.secrets.get(digest);
    const subject = secret && this.subjects.get(secret.subject);
    if (secret === undefined || subject === undefined) return { kind: 'absent', at };
    return {
      kind: 'found',
      subject: { ...subject, scopes: [...subject.scopes], principal: undefined },
      secretExpiresAtMs: secret.expiresAtMs,
      at,
    };
  }

  /** The answer is read now; it arrives now, or when the test delivers it. */
  async #answer<T>(read: () => T, signal: AbortSignal, held: Held[] | false): Promise<T> {
    if (this.state === 'away') throw new StoreUnavailableError('connection refused');
    const silent = this.state === 'silent';
    const value = silent ? undefined : read();
    if (!silent && held === false) return value as T;
    return new Promise<T>((resolve, reject) => {
      signal.addEventListener('abort', () => reject(new StoreUnavailableError('aborted')));
      if (!silent && held !== false) held.push({ deliver: () => resolve(value as T) });
    });
  }
}
