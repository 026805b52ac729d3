import type { NamedCredential } from './credential.ts';
import type { DenialReason } from './denials.ts';
import type { Digest } from './ids.ts';
import type { Limit, Plan } from './plan.ts';
import type { HostTable, RouteRule } from './route-rule.ts';
import type { Anonymous } from './standing-answer.ts';
import type { Role } from './subject.ts';

/** A policy file after validation: everything that can be computed once per policy has been. Immutable; swapped whole. */
export interface CompiledPolicy {
  /** Counts up with every policy that is put in force in this process; what derives from a policy carries it. */
  readonly generation: number;
  /** SHA-256 of the file's bytes, hex. */
  readonly sha256: string;
  readonly realm: string;
  readonly hosts: HostTable;
  /** For routes that Envoy names by `context_extensions.rule`. */
  readonly rulesByName: ReadonlyMap<string, RouteRule>;
  /** Every credential that the file names, in its order. */
  readonly credentials: readonly NamedCredential[];
  /** Header names to read from a request, by slot (see request.ts). Lower case. */
  readonly wantedHeaders: readonly string[];
  /** A scope → itself and everything that it implies, transitively. A scope that is not listed implies itself only. */
  readonly impliedScopes: ReadonlyMap<string, readonly string[]>;
  /** Scopes that an owner's role bounds (already with what they imply); a role that is absent here is no bound. */
  readonly roleScopes: ReadonlyMap<Role, ReadonlySet<string>>;
  /** Always holds `default`. */
  readonly plans: ReadonlyMap<string, Plan>;
  readonly anonymous: Anonymous;
  /** The limit of failed authentications per client address; `null`: switched off. */
  readonly failedAuthentications: Limit | null;
  readonly clientAddress: ClientAddressSource;
  readonly principalHeaders: PrincipalHeaderNames;
  /** Other spellings of the principal headers, which many upstreams take for them. */
  readonly lookalikeHeaders: readonly LookalikeHeader[];
  /** Further request headers that never reach the upstream. */
  readonly stripHeaders: readonly string[];
  readonly publicOrigins: ReadonlySet<string>;
  readonly rateLimitReset: 'epoch' | 'delta';
  readonly errors: ErrorFormat;
  readonly outage: OutageForm;
  /** Reads the text of a key; computes its digest only if it could be one. */
  readonly readKey: (text: string) => KeyReading;
}

/** `lookup`: it could exist. The refusals need no lookup: their digest was never computed. */
export type KeyReading =
  | { readonly kind: 'lookup'; readonly digest: Digest }
  | { readonly kind: 'refused'; readonly reason: 'key_malformed' | 'key_checksum' | 'key_foreign' };

/** `envoy_external`: `x-envoy-external-address`, else the peer. `xff`: the n-th address of `x-forwarded-for` from the right. */
export type ClientAddressSource =
  | { readonly from: 'envoy_external' }
  | { readonly from: 'peer' }
  | { readonly from: 'xff'; readonly hops: number };

/** How an outage of the store is told to Envoy; everything but `denied` lets `failure_mode_allow` turn it into an allow. */
export type OutageForm = 'denied' | 'error_response' | 'grpc_error';

/** Lower-case names of the headers that the upstream gets. */
export interface PrincipalHeaderNames {
  readonly id: string;
  readonly organization: string;
  readonly scopes: string;
  readonly plan: string;
  readonly credential: string;
  readonly method: string;
}

/** A header that must not reach the upstream; `slot` is its index in `CheckInput.headers`. */
export interface LookalikeHeader {
  readonly name: string;
  readonly slot: number;
}

export type ErrorFormat =
  | { readonly kind: 'problem' }
  | {
      readonly kind: 'template';
      readonly contentType: string;
      readonly fallback: BodyTemplate;
      readonly byReason: ReadonlyMap<DenialReason, BodyTemplate>;
    };

/** A JSON value with holes. */
export type BodyTemplate =
  | { readonly kind: 'literal'; readonly value: string | number | boolean | null }
  /** The whole value: keeps the placeholder's own type. */
  | { readonly kind: 'placeholder'; readonly name: Placeholder }
  /** Part of a string: texts and placeholders in turn. */
  | { readonly kind: 'text'; readonly parts: readonly (string | { readonly name: Placeholder })[] }
  | { readonly kind: 'array'; readonly items: readonly BodyTemplate[] }
  | { readonly kind: 'object'; readonly fields: readonly (readonly [string, BodyTemplate])[] };

export const PLACEHOLDERS = [
  'status',
  'code',
  'title',
  'detail',
  'decision_id',
  'required_scopes',
  'provided_scopes',
  'retry_after_seconds',
  'realm',
] as const;
export type Placeholder = (typeof PLACEHOLDERS)[number];
