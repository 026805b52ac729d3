import type { Now } from './clock.ts';
import type { Digest } from './ids.ts';
import type { KnownCredential } from './subject.ts';

/** How a credential is proven. One partition of the memory each. */
export type CredentialKind = 'api_key';

/** What memory knows of credentials. Synchronous; never touches the store on the caller's time. */
export interface PrincipalMemory {
  /** `absent`: the store is known not to have it. `undefined`: memory cannot say, the fact has to be fetched. */
  find(kind: CredentialKind, digest: Digest, now: Now): KnownCredential | 'absent' | undefined;
}

/** The one fact that memory lacks, and what is needed to fetch it. */
export interface Need {
  readonly kind: 'need';
  readonly credentialKind: CredentialKind;
  readonly digest: Digest;
  /** The bucket of the client address: misses are budgeted by it, so that a flood does not starve others. */
  readonly clientBucket: string;
  /** The address has used up its failed authentications: what it does not know yet, it learns slowly. */
  readonly isAfterFailures: boolean;
}

/** What fetching a fact gave. It is handed to the next run as an argument, since the cache may have evicted it. */
export type Fact =
  | { readonly kind: 'found'; readonly credential: KnownCredential }
  | { readonly kind: 'absent' }
  | {
      readonly kind: 'unavailable';
      readonly cause: UnavailableCause;
      readonly retryAfterMs: number;
    };

/**
 * `store`: Postgres is away or did not answer in time. `overload`: the lookup queue is full.
 * `client_budget`: this client address has too many lookups of its own under way or behind it.
 * `failures`: the same, and smaller, for an address that has failed too often.
 */
export type UnavailableCause = 'store' | 'overload' | 'client_budget' | 'failures';
