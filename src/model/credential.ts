import type { CredentialKind } from './memory.ts';

/** A place of a request that may hold a credential, as the policy names it. */
export type NamedCredential = {
  /** The policy's own name for it. */
  readonly name: string;
  /** What it proves: keys only, for now, whatever the place. */
  readonly kind: CredentialKind;
  /** Environments of keys that this place accepts; `null`: whatever the route accepts. */
  readonly environments: readonly string[] | null;
  /** A `WWW-Authenticate` challenge (RFC 9110 §11.6.1), without `error`. */
  readonly challenge: string;
} & CredentialPlace;

export type CredentialPlace =
  /** `Authorization: Bearer <key>` (RFC 6750 §2.1). */
  | { readonly place: 'bearer' }
  /** `Authorization: Basic base64(<key>:)` (RFC 7617): the key as user-id, the password empty. */
  | { readonly place: 'basic' }
  /** A header of its own; `slot` is its index in `CheckInput.headers`, `header` its lower-case name. */
  | { readonly place: 'header'; readonly header: string; readonly slot: number }
  | { readonly place: 'query'; readonly parameter: string }
  | { readonly place: 'cookie'; readonly cookie: string };
