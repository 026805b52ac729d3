import type { HostTable, MethodTable, PathNode } from '../model/route-rule.ts';
import type { PlacedRoute } from './compile-routes.ts';
import type { Findings } from './findings.ts';
import type { HostPattern } from './host-pattern.ts';
import type { TemplatePart } from './path-template.ts';
import { buildHostTable } from './route-table.ts';

/**
 * A hidden route answers like a path that does not exist, which hides nothing where the paths around it do exist: they
 * answer 401, or let through, and the one 404 among them gives itself away.
 */
export function warnOfSeenThrough(routes: readonly PlacedRoute[], findings: Findings): void {
  const hidden = routes.filter(({ rule }) => rule.hide);
  if (hidden.length === 0) return;
  const visible = routes.filter(({ rule }) => !rule.hide);
  const hosts = buildHostTable(visible);
  const pathOf = new Map(visible.map(({ rule, path }) => [rule, path]));
  for (const { parts, hosts: patterns, path } of hidden) {
    const around = patterns
      .flatMap((pattern) => rootsOf(pattern, hosts))
      .map((root) => broader(root, { parts, index: 0, isBroader: false }))
      .find((table) => table !== undefined);
    const [rule] = around?.rules.values() ?? [];
    if (rule === undefined) continue;
    const line = findings.line(pathOf.get(rule) ?? path);
    const message = `route "${rule.name}" (line ${line}) answers the paths around this one and is not hidden: a stranger gets another answer there than the 404 here, and so sees that something is here; hide that route too, or narrow its path.`;
    findings.warn([...path, 'hide'], message);
  }
}

/** Where a request to one of these hosts may be matched. */
function rootsOf(pattern: HostPattern, { exact, suffix, any }: HostTable): readonly PathNode[] {
  if (pattern.kind === 'any') return [any];
  const name = pattern.kind === 'exact' ? pattern.host : `.${pattern.suffix}`;
  const labels = name.split('.');
  const suffixes = labels.map((_, index) => labels.slice(index + 1).join('.'));
  const own = pattern.kind === 'exact' ? exact.get(name) : undefined;
  return [own, ...suffixes.map((each) => suffix.get(each)), any].filter(
    (root) => root !== undefined,
  );
}

interface Place {
  readonly parts: readonly TemplatePart[];
  readonly index: number;
  /** A parameter was taken for a literal on the way here. */
  readonly isBroader: boolean;
}

/** The rules of a template that fits whatever these parts fit, and more. */
function broader(node: PathNode, { parts, index, isBroader }: Place): MethodTable | undefined {
  const part = parts[index];
  if (part === undefined) return (isBroader ? node.exact : undefined) ?? node.rest;
  // Of one shape: the same path with other methods, not a broader one.
  if (part.kind === 'rest') return isBroader ? node.rest : undefined;
  const next = { parts, index: index + 1 };
  if (part.kind === 'literal') {
    const literal = node.literals.get(part.segment);
    const found = literal === undefined ? undefined : broader(literal, { ...next, isBroader });
    if (found !== undefined) return found;
  }
  const isName = part.kind === 'parameter' || part.segment !== '';
  const found =
    node.parameter === undefined || !isName
      ? undefined
      : broader(node.parameter, { ...next, isBroader: isBroader || part.kind === 'literal' });
  return found ?? node.rest;
}
