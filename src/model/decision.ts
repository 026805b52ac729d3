import type { NamedCredential } from './credential.ts';
import type { DenialReason } from './denials.ts';
import type { LimitReport } from './limit-memory.ts';
import type { Principal } from './principal.ts';
import type { MalformedCause } from './request.ts';
import type { RouteRule } from './route-rule.ts';
import type { Subject } from './subject.ts';

/** The outcome of a request. An allow is built in one place only; everything else is a denial. */
export type Decision = Allow | Denial;

export interface Allow {
  readonly kind: 'allow';
  readonly rule: RouteRule;
  /** `undefined`: anonymous. */
  readonly principal: Principal | undefined;
  readonly credential: NamedCredential | undefined;
  readonly reports: readonly LimitReport[];
}

export interface Denial {
  readonly kind: 'deny';
  readonly reason: DenialReason;
  readonly rule: RouteRule | undefined;
  readonly principal: Principal | undefined;
  /** Whose credential it was, even where it no longer counts: for log and metadata, never for the client. */
  readonly subject: Subject | undefined;
  /** Told to the client only where the principal was authorized. */
  readonly reports: readonly LimitReport[];
  /** For 429 and 503. */
  readonly retryAfterMs: number | undefined;
  /** For 405. */
  readonly allow: string | undefined;
  /** The true reason stays in log and metadata; the client gets the answer for a path that does not exist. */
  readonly hidden: boolean;
  /** For the log: what exactly was wrong with the message. */
  readonly malformed: MalformedCause | undefined;
}

type DenialDetails = Partial<Omit<Denial, 'kind' | 'reason'>>;

export function deny(reason: DenialReason, details: DenialDetails = {}): Denial {
  return {
    kind: 'deny',
    reason,
    rule: details.rule,
    principal: details.principal,
    subject: details.subject ?? details.principal?.subject,
    reports: details.reports ?? [],
    retryAfterMs: details.retryAfterMs,
    allow: details.allow,
    hidden: details.hidden ?? false,
    malformed: details.malformed,
  };
}
