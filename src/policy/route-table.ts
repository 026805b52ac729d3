import type { HostTable, MethodTable, PathNode, RouteRule } from '../model/route-rule.ts';
import { type HostPattern, hostKey } from './host-pattern.ts';
import type { TemplatePart } from './path-template.ts';

/** One rule at one place: what the tables are built from. */
export interface RoutePlacement {
  readonly rule: RouteRule;
  readonly hosts: readonly HostPattern[];
  readonly parts: readonly TemplatePart[];
  readonly methods: readonly string[];
}

/** A node under construction: the rules that its templates name, by method. */
interface Draft {
  readonly literals: Map<string, Draft>;
  parameter: Draft | undefined;
  readonly exact: Map<string, RouteRule>;
  readonly rest: Map<string, RouteRule>;
}

const newDraft = (): Draft => ({
  literals: new Map(),
  parameter: undefined,
  exact: new Map(),
  rest: new Map(),
});

/** The tables that requests are matched with. No two placements may name one method of one path. */
export function buildHostTable(placements: readonly RoutePlacement[]): HostTable {
  const exact = new Map<string, Draft>();
  const suffix = new Map<string, Draft>();
  const any = newDraft();
  const rootOf = (pattern: HostPattern): Draft => {
    switch (pattern.kind) {
      case 'exact':
        return draftAt(exact, pattern.host);
      case 'suffix':
        return draftAt(suffix, pattern.suffix);
      case 'any':
        return any;
    }
  };
  for (const placement of placements) {
    // A host that is written twice is one host.
    const hosts = new Map(placement.hosts.map((pattern) => [hostKey(pattern), pattern]));
    for (const pattern of hosts.values()) insert(rootOf(pattern), placement);
  }
  return { exact: finishAll(exact), suffix: finishAll(suffix), any: finish(any) };
}

function insert(root: Draft, { parts, rule, methods }: RoutePlacement): void {
  let draft = root;
  let rules: Map<string, RouteRule> | undefined;
  for (const part of parts) {
    switch (part.kind) {
      case 'literal':
        draft = draftAt(draft.literals, part.segment);
        break;
      case 'parameter':
        draft.parameter ??= newDraft();
        draft = draft.parameter;
        break;
      case 'rest':
        rules = draft.rest;
        break;
    }
  }
  rules ??= draft.exact;
  for (const method of methods) rules.set(method, rule);
}

function draftAt(drafts: Map<string, Draft>, key: string): Draft {
  const draft = drafts.get(key) ?? newDraft();
  drafts.set(key, draft);
  return draft;
}

function finishAll(drafts: ReadonlyMap<string, Draft>): ReadonlyMap<string, PathNode> {
  return new Map([...drafts].map(([key, draft]) => [key, finish(draft)]));
}

function finish(draft: Draft): PathNode {
  return {
    literals: finishAll(draft.literals),
    parameter: draft.parameter === undefined ? undefined : finish(draft.parameter),
    exact: methodTable(draft.exact),
    rest: methodTable(draft.rest),
  };
}

/** What a route answers that names no methods. TRACE and CONNECT are answered by name only. */
export const DEFAULT_METHODS: readonly string[] = [
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
  'OPTIONS',
];

function methodTable(named: ReadonlyMap<string, RouteRule>): MethodTable | undefined {
  if (named.size === 0) return undefined;
  const rules = new Map(named);
  const get = rules.get('GET');
  // HEAD is GET without the body (RFC 9110 §9.3.2): the same rule, unless one names HEAD.
  if (get !== undefined && !rules.has('HEAD')) rules.set('HEAD', get);
  return {
    rules,
    allow: [...rules.keys()].sort(byUsualOrder).join(', '),
    hide: [...rules.values()].some((rule) => rule.hide),
  };
}

/** The methods of a route by itself: HEAD with GET, in the usual order. */
export function answeredMethods(methods: readonly string[]): readonly string[] {
  const withHead = methods.includes('GET') ? [...methods, 'HEAD'] : methods;
  return [...new Set(withHead)].sort(byUsualOrder);
}

function byUsualOrder(a: string, b: string): number {
  return rank(a) - rank(b) || (a < b ? -1 : 1);
}

function rank(method: string): number {
  const index = DEFAULT_METHODS.indexOf(method);
  return index < 0 ? DEFAULT_METHODS.length : index;
}
