import type { Role } from '../model/subject.ts';
import type { Findings } from './findings.ts';
import type { PolicyFile } from './schema.ts';

type ImpliedScopes = ReadonlyMap<string, readonly string[]>;

/** Scopes in a long chain imply each other's successors: what is kept grows with the square of its length. */
const IMPLIED_SCOPES_MAX = 100_000;

/** Each declared scope with everything that it implies, itself first. Scopes may imply one another in a circle. */
export function compileImpliedScopes(
  scopes: PolicyFile['scopes'],
  findings: Findings,
): ImpliedScopes {
  const direct = new Map(Object.entries(scopes).map(([name, { implies }]) => [name, implies]));
  const implied = new Map<string, readonly string[]>();
  let total = 0;
  for (const name of direct.keys()) {
    const all = [...reachable([name], direct)];
    total += all.length;
    if (total > IMPLIED_SCOPES_MAX) {
      const message = `the scopes imply each other more than ${IMPLIED_SCOPES_MAX} times in all; declare fewer.`;
      findings.error(['scopes'], message);
      break;
    }
    implied.set(name, all);
  }
  return implied;
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
