import type { NamedCredential } from './credential.ts';

/** All of `allOf` and, unless it is empty, at least one of `anyOf`. */
export interface ScopeRequirement {
  readonly allOf: readonly string[];
  readonly anyOf: readonly string[];
}

/** Where a route finds the organization that a key must belong to. */
export type OrganizationBinding =
  | { readonly from: 'host_label'; readonly index: number }
  | { readonly from: 'path_segment'; readonly index: number };

/** One compiled route of the policy. */
export interface RouteRule {
  readonly name: string;
  /** What it answers, HEAD with GET, as its `Allow` would say. Where Envoy names the rule, nothing else chooses by method. */
  readonly methods: readonly string[];
  /** `optional`: no credential is anonymous, a bad one is refused. `none`: credentials are not looked at. */
  readonly auth: 'required' | 'optional' | 'none';
  /** Refusals look exactly like the answer for a path that does not exist. */
  readonly hide: boolean;
  readonly accept: readonly NamedCredential[];
  readonly scopes: ScopeRequirement;
  readonly environments: readonly string[];
  readonly organization: OrganizationBinding | undefined;
  /** Units that a request draws from each limit. */
  readonly cost: number;
  /** Leave the credential in the request for the upstream. */
  readonly passCredential: boolean;
}

/** The rules of one path: the method is chosen here and never falls to a broader path. */
export interface MethodTable {
  readonly rules: ReadonlyMap<string, RouteRule>;
  /** The `Allow` header's value (RFC 9110 §10.2.1). */
  readonly allow: string;
  /** One of the rules hides: then even "method not allowed" would tell. */
  readonly hide: boolean;
}

/** A node of the path trie; a path is its segments. Literals win over a parameter, a parameter over the rest. */
export interface PathNode {
  readonly literals: ReadonlyMap<string, PathNode>;
  readonly parameter: PathNode | undefined;
  /** A template ends here. */
  readonly exact: MethodTable | undefined;
  /** A template ends here in `**`: this path and everything below. */
  readonly rest: MethodTable | undefined;
}

/** Hosts are lower case without port. A path that a narrower host does not name is looked up under the broader one. */
export interface HostTable {
  readonly exact: ReadonlyMap<string, PathNode>;
  /** `*.example.com` under the key `example.com`; the longest suffix wins. */
  readonly suffix: ReadonlyMap<string, PathNode>;
  readonly any: PathNode;
}
