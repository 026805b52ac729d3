import type { Clock } from '../model/clock.ts';
import type { StoredDigest } from '../model/stored-digest.ts';
import type { KeyAdminStore, OrganizationStore, ReplicaDirectory, UserStore } from './ports.ts';

/** What the verbs work with. */
export interface Accounts {
  readonly organizations: OrganizationStore;
  readonly users: UserStore;
  readonly keys: KeyAdminStore;
  readonly replicas: ReplicaDirectory;
  readonly clock: Clock;
  /** From a cryptographic source. */
  readonly randomBytes: (bytes: number) => Uint8Array;
  /** How a new secret is stored: under the newest pepper, or plain where there is none. */
  readonly digestForNew: (sha256: Uint8Array) => StoredDigest;
}
