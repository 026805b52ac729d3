import type { DenialReason } from '../model/denials.ts';
import type { CompiledPolicy } from '../model/policy.ts';
import type { HostTable, MethodTable, PathNode, RouteRule } from '../model/route-rule.ts';

export type Match =
  | { readonly kind: 'rule'; readonly rule: RouteRule }
  | {
      readonly kind: 'refused';
      readonly reason: Extract<
        DenialReason,
        'route_not_found' | 'rule_unknown' | 'method_not_allowed'
      >;
      readonly allow: string | undefined;
      /** A rule of this very path hides. */
      readonly hidden: boolean;
    };

/** What of a request decides on its rule. */
export interface Target {
  readonly method: string;
  readonly host: string;
  readonly segments: readonly string[];
  /** The rule that Envoy's route names. It wins over host and path, which Envoy has matched already; methods it mostly has not. */
  readonly ruleName: string | undefined;
}

/** The one rule for a request, or the reason why there is none. What nothing matches is refused. */
export function match(target: Target, policy: CompiledPolicy): Match {
  if (target.ruleName !== undefined) {
    const rule = policy.rulesByName.get(target.ruleName);
    if (rule === undefined) {
      return { kind: 'refused', reason: 'rule_unknown', allow: undefined, hidden: false };
    }
    if (rule.methods.includes(target.method)) return { kind: 'rule', rule };
    return methodNotAllowed(rule.methods.join(', '), rule.hide);
  }
  const table = findTable(policy.hosts, target);
  if (table === undefined || table === OTHER_SLASH) {
    return { kind: 'refused', reason: 'route_not_found', allow: undefined, hidden: false };
  }
  const rule = table.rules.get(target.method);
  if (rule !== undefined) return { kind: 'rule', rule };
  return methodNotAllowed(table.allow, table.hide);
}

function methodNotAllowed(allow: string, hidden: boolean): Match {
  return { kind: 'refused', reason: 'method_not_allowed', allow, hidden };
}

/**
 * Found for a path that a route names but for its trailing slash. Many services take both spellings for one path; a broader
 * route, of other scopes, must not get what is meant for the narrower one.
 */
const OTHER_SLASH: MethodTable = { rules: new Map(), allow: '', hide: false };

/** The narrowest host that knows the path: exact, then the longest wildcard, then any. */
function findTable(hosts: HostTable, { host, segments }: Target): MethodTable | undefined {
  const exact = hosts.exact.get(host);
  const found = exact === undefined ? undefined : walk(exact, segments, 0);
  if (found !== undefined) return found;
  if (hosts.suffix.size > 0) {
    for (let dot = host.indexOf('.'); dot >= 0; dot = host.indexOf('.', dot + 1)) {
      const node = hosts.suffix.get(host.slice(dot + 1));
      const table = node === undefined ? undefined : walk(node, segments, 0);
      if (table !== undefined) return table;
    }
  }
  return walk(hosts.any, segments, 0);
}

/**
 * Literal before parameter before rest, segment by segment. Going back to a broader branch visits each node of the
 * trie at most once, so the work is bounded by the policy, not by the client.
 */
function walk(node: PathNode, segments: readonly string[], depth: number): MethodTable | undefined {
  const segment = segments[depth];
  if (segment === undefined) {
    const isNamedWithSlash = node.literals.get('')?.exact !== undefined;
    return node.exact ?? node.rest ?? (isNamedWithSlash ? OTHER_SLASH : undefined);
  }
  const literal = node.literals.get(segment);
  if (literal !== undefined) {
    const table = walk(literal, segments, depth + 1);
    if (table !== undefined) return table;
  }
  // A parameter stands for a name: the empty segment of a trailing slash is none.
  if (node.parameter !== undefined && segment !== '') {
    const table = walk(node.parameter, segments, depth + 1);
    if (table !== undefined) return table;
  }
  const isNamedWithout = segment === '' && node.exact !== undefined;
  return node.rest ?? (isNamedWithout ? OTHER_SLASH : undefined);
}
