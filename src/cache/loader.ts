import { StoreUnavailableError } from '../model/change.ts';
import type { Clock, Schedule } from '../model/clock.ts';
import type { Digest } from '../model/ids.ts';
import type { CredentialKind, Fact } from '../model/memory.ts';
import type { Circuit } from './circuit.ts';
import { withDeadline } from './deadline.ts';
import type { CacheObserver, CredentialSource } from './ports.ts';
import type { PrincipalCache } from './principal-cache.ts';

/** Each further load begins after the change that fenced the last one, so a second one nearly always serves. */
const ATTEMPTS_MAX = 3;

export interface LoaderParts {
  readonly source: CredentialSource;
  readonly cache: PrincipalCache;
  readonly circuit: Circuit;
  readonly clock: Clock;
  readonly schedule: Schedule;
  readonly observer: CacheObserver;
  /** Of one load. It runs to its end whether or not anybody still waits. */
  readonly loadTimeoutMs: number;
  /** A load came from another history than the followed one: the follower should look. */
  readonly onForeignHistory: () => void;
}

/** `failed`: the store did not answer. `unsettled`: it answered, but each time changes had overtaken the answer. */
export type Loading =
  | Exclude<Fact, { kind: 'unavailable' }>
  | { readonly kind: 'failed' }
  | { readonly kind: 'unsettled' };

/** Loads a credential into the cache, again if a change overtook the load. Never rejects. */
export async function loadInto(
  parts: LoaderParts,
  kind: CredentialKind,
  digest: Digest,
): Promise<Loading> {
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt += 1) {
    const loading = await loadOnce(parts, kind, digest);
    if (loading !== 'fenced') return loading;
  }
  return { kind: 'unsettled' };
}

async function loadOnce(
  parts: LoaderParts,
  kind: CredentialKind,
  digest: Digest,
): Promise<Loading | 'fenced'> {
  const { source, cache, circuit, clock, schedule, observer } = parts;
  const ticket = cache.ticket(clock());
  const durationMs = () => clock().monoMs - ticket.startedMonoMs;
  circuit.begin();
  try {
    const loaded = await withDeadline({ schedule, timeoutMs: parts.loadTimeoutMs }, (signal) =>
      source.load(kind, digest, signal),
    );
    circuit.succeeded();
    const admission = cache.admit({ kind, digest, loaded, ticket });
    switch (admission.kind) {
      case 'found':
      case 'absent':
        observer.loadEnded(admission.kind, durationMs());
        return admission;
      case 'foreign':
        parts.onForeignHistory();
        observer.loadEnded('fenced', durationMs());
        return 'fenced';
      case 'behind':
        observer.loadEnded('fenced', durationMs());
        return 'fenced';
    }
  } catch (error) {
    circuit.failed(clock().monoMs);
    observer.loadEnded('unavailable', durationMs());
    if (!(error instanceof StoreUnavailableError)) observer.fault(error);
    return { kind: 'failed' };
  }
}
