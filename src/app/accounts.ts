import type { Accounts } from '../accounts/accounts.ts';
import { createKeyAdminStore } from '../postgres/key-admin-store.ts';
import { createOrganizationStore } from '../postgres/organization-store.ts';
import type { Database } from '../postgres/pool.ts';
import { createReplicaDirectory } from '../postgres/replica-registry.ts';
import { createUserStore } from '../postgres/user-store.ts';
import type { PepperKeyring } from '../secrets/pepper-keyring.ts';
import { systemClock, systemRandomBytes } from './system.ts';

/** The cold verbs' surroundings, over one database. */
export function createAccounts(database: Database, keyring: PepperKeyring): Accounts {
  return {
    organizations: createOrganizationStore(database),
    users: createUserStore(database),
    keys: createKeyAdminStore(database),
    replicas: createReplicaDirectory(database),
    clock: systemClock,
    randomBytes: systemRandomBytes,
    digestForNew: (sha256) => keyring.storedDigestForNew(sha256),
  };
}
