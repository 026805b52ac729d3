import type { PlacedRoute } from './compile-routes.ts';
import type { Findings } from './findings.ts';
import { hostKey } from './host-pattern.ts';
import { templateShape } from './path-template.ts';
import type { PolicyPath } from './problem.ts';

/** Two routes that one request matches equally well: it would be left to the order of the file which of them counts. */
export function checkOverlaps(routes: readonly PlacedRoute[], findings: Findings): void {
  const byPlace = new Map<string, PlacedRoute>();
  const told = new Set<string>();
  for (const route of routes) {
    const shape = templateShape(route.parts);
    for (const host of new Set(route.hosts.map(hostKey))) {
      for (const method of route.methods) {
        const place = `${host} ${method} ${shape}`;
        const first = byPlace.get(place);
        if (first === undefined || first === route) {
          byPlace.set(place, route);
          continue;
        }
        const pair = `${first.path.join('.')} ${route.path.join('.')}`;
        if (told.has(pair)) continue;
        told.add(pair);
        const where = host === '*' ? 'any host' : host;
        const message = `route "${route.rule.name}" and route "${first.rule.name}" (line ${findings.line(first.path)}) both answer ${method} ${shape} on ${where}, and neither is more specific; change a path, a host or the methods of one.`;
        findings.error(route.path, message);
      }
    }
  }
}

/** Names tell routes apart in logs, metrics and Envoy's configuration. */
export function checkNames(
  routes: readonly { readonly name: string; readonly path: PolicyPath }[],
  findings: Findings,
): void {
  const pathByName = new Map<string, PolicyPath>();
  for (const { name, path } of routes) {
    const first = pathByName.get(name);
    if (first === undefined) {
      pathByName.set(name, path);
      continue;
    }
    const line = findings.line([...first, 'name']);
    const message = `the name ${JSON.stringify(name)} is taken by the route on line ${line}; name each route differently.`;
    findings.error([...path, 'name'], message);
  }
}
