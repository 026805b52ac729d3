import type { DenialReason } from '../model/denials.ts';
import type { Principal } from '../model/principal.ts';
import type { OrganizationBinding, RouteRule, ScopeRequirement } from '../model/route-rule.ts';

interface Place {
  readonly host: string;
  readonly segments: readonly string[];
}

/** Whether the principal may do this here; `undefined` if so. */
export function authorize(
  rule: RouteRule,
  principal: Principal,
  place: Place,
): DenialReason | undefined {
  if (rule.organization !== undefined && !isOwn(rule.organization, principal, place)) {
    return 'organization_mismatch';
  }
  return holds(rule.scopes, principal.grant.scopes) ? undefined : 'scope_missing';
}

function holds(required: ScopeRequirement, held: ReadonlySet<string>): boolean {
  if (!required.allOf.every((scope) => held.has(scope))) return false;
  return required.anyOf.length === 0 || required.anyOf.some((scope) => held.has(scope));
}

/** The route names a tenant by id or by name; a route that names none belongs to nobody. */
function isOwn(binding: OrganizationBinding, { subject }: Principal, place: Place): boolean {
  const named =
    binding.from === 'host_label'
      ? place.host.split('.')[binding.index]
      : decoded(place.segments[binding.index]);
  return named === subject.organizationId || named === subject.organizationName;
}

/** A name may hold blanks and letters of any script, which a path has as escapes. Segments hold none that is broken. */
function decoded(segment: string | undefined): string | undefined {
  return segment?.includes('%') === true ? decodeURIComponent(segment) : segment;
}
