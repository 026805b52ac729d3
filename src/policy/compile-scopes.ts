import type { Role } from '../model/subject.ts';
import type { PolicyFile } from './schema.ts';

type ImpliedScopes = ReadonlyMap<string, readonly string[]>;

/** Each declared scope with everything that it implies, itself first. Scopes may imply one another in a circle. */
export function compileImpliedScopes(scopes: PolicyFile['scopes']): ImpliedScopes {
  const direct = new Map(Object.entries(scopes).map(([name, { implies }]) => [name, implies]));
  return new Map([...direct.keys()].map((name) => [name, [...reachable([name], direct)]]));
}

/** What a role may hold, with what that implies. A role that the file does not bound is left out. */
export function compileRoleScopes(
  roles: PolicyFile['roles'],
  implied: ImpliedScopes,
): ReadonlyMap<Role, ReadonlySet<string>> {
  const bounds = new Map<Role, ReadonlySet<string>>();
  for (const role of ['member', 'org_admin', 'super_admin'] as const) {
    const bound = roles[role];
    if (bound !== undefined) bounds.set(role, reachable(bound.scopes, implied));
  }
  return bounds;
}

function reachable(from: readonly string[], direct: ImpliedScopes): ReadonlySet<string> {
  const seen = new Set(from);
  // A Set is walked in order of insertion, entries added on the way included.
  for (const scope of seen) {
    for (const implied of direct.get(scope) ?? []) seen.add(implied);
  }
  return seen;
}

/** Every scope that the file mentions outside of its routes. */
export function declaredScopes(file: PolicyFile): ReadonlySet<string> {
  return new Set([
    ...Object.entries(file.scopes).flatMap(([name, { implies }]) => [name, ...implies]),
    ...Object.values(file.roles).flatMap((role) => role?.scopes ?? []),
  ]);
}
