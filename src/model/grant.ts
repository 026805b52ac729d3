import type { StandingAnswer } from './answer.ts';
import type { Limit, Plan } from './plan.ts';
import type { CompiledPolicy } from './policy.ts';
import { standingAnswer } from './standing-answer.ts';
import type { Role, Subject } from './subject.ts';

/** What scopes, role and plan come to under one policy. Shared by all principals that have the same. */
export interface Grant {
  /** Granted and implied scopes, within what the owner's role may hold. */
  readonly scopes: ReadonlySet<string>;
  /** Space separated, sorted. */
  readonly scopeText: string;
  readonly plan: Plan;
  /** The plan's limits that count by client address: their buckets are known per request only. */
  readonly addressLimits: readonly Limit[];
  readonly standing: StandingAnswer;
}

/** Far more than a policy has combinations of scopes, roles and plans in use; beyond it a grant is somebody's own. */
const GRANTS_MAX = 10_000;

const grantsByPolicy = new WeakMap<CompiledPolicy, Map<string, Grant>>();

export function grantOf(subject: Subject, policy: CompiledPolicy): Grant {
  const shared = sharedGrants(policy);
  const plan = planOf(subject, policy);
  // JSON keeps apart whatever the names hold.
  const key = JSON.stringify([subject.ownerRole, plan.name, subject.scopes]);
  const known = shared.get(key);
  if (known !== undefined) return known;
  const grant = makeGrant(effectiveScopes(subject, policy), plan, policy);
  if (shared.size < GRANTS_MAX) shared.set(key, grant);
  return grant;
}

function sharedGrants(policy: CompiledPolicy): Map<string, Grant> {
  const known = grantsByPolicy.get(policy);
  if (known !== undefined) return known;
  const fresh = new Map<string, Grant>();
  grantsByPolicy.set(policy, fresh);
  return fresh;
}

function makeGrant(scopes: ReadonlySet<string>, plan: Plan, policy: CompiledPolicy): Grant {
  const scopeText = [...scopes].sort().join(' ');
  const names = policy.principalHeaders;
  const headers = [
    { name: names.scopes, value: scopeText },
    { name: names.plan, value: plan.name },
    { name: names.method, value: 'api_key' },
  ];
  // Envoy may drop an empty value and keep the client's own: what is empty has to be removed by name.
  const absent = headers.filter((line) => line.value === '').map((line) => line.name);
  return {
    ...{ scopes, scopeText, plan },
    addressLimits: plan.limits.filter((limit) => limit.per === 'client_address'),
    standing: standingAnswer(policy.stripHeaders, {
      requestHeaders: headers.filter((line) => line.value !== ''),
      removeRequestHeaders: absent,
      metadata: [['plan', plan.name]],
    }),
  };
}

/** A key acts as its owner at most: what the role may not hold is not held, even where a wider scope implies it. */
function effectiveScopes(subject: Subject, policy: CompiledPolicy): ReadonlySet<string> {
  const scopes = new Set<string>();
  const bounds = rolesOf(subject.ownerRole).flatMap((role) => policy.roleScopes.get(role) ?? []);
  for (const granted of subject.scopes) {
    for (const scope of policy.impliedScopes.get(granted) ?? [granted]) {
      if (bounds.every((bound) => bound.has(scope))) scopes.add(scope);
    }
  }
  return scopes;
}

/** The roles that bound a key. It never acts as super_admin, which reaches over all organizations: the next lower role bounds it too. */
function rolesOf(ownerRole: Role | null): readonly Role[] {
  if (ownerRole === null) return [];
  return ownerRole === 'super_admin' ? ['super_admin', 'org_admin'] : [ownerRole];
}

/** A plan that the policy no longer has must not lift every limit: the default's apply. */
function planOf(subject: Subject, policy: CompiledPolicy): Plan {
  const name = subject.plan ?? subject.organizationPlan ?? 'default';
  return policy.plans.get(name) ?? policy.plans.get('default') ?? { name: 'default', limits: [] };
}
