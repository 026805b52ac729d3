import { type Refusal, refusal } from '../accounts/result.ts';
import type { FilePolicy } from '../policy/compile.ts';

/** A plan that the policy does not have would silently be the default. */
export function unknownPlan(
  plan: string | null,
  { plans }: Pick<FilePolicy, 'plans'>,
): Refusal | undefined {
  if (plan === null || plans.has(plan)) return undefined;
  const known = [...plans.keys()].join(', ');
  return refusal('invalid', `The policy has no plan ${JSON.stringify(plan)}. It has: ${known}.`);
}

/** No route could ever accept a key of an environment that the policy does not have. */
export function unknownEnvironment(
  environment: string,
  { keyFormat }: Pick<FilePolicy, 'keyFormat'>,
): Refusal | undefined {
  if (keyFormat.environments.includes(environment)) return undefined;
  const known = keyFormat.environments.join(', ');
  return refusal(
    'invalid',
    `The policy has no environment ${JSON.stringify(environment)}. It has: ${known}.`,
  );
}

/** Scopes that open nothing: most likely mistyped, though a route may come to ask for them. */
export function unusedScopes(
  scopes: readonly string[],
  { rulesByName, impliedScopes }: Pick<FilePolicy, 'rulesByName' | 'impliedScopes'>,
): readonly string[] {
  const asked = new Set<string>();
  for (const { scopes: wanted } of rulesByName.values()) {
    for (const scope of [...wanted.allOf, ...wanted.anyOf]) asked.add(scope);
  }
  return scopes.filter(
    (scope) => !(impliedScopes.get(scope) ?? [scope]).some((implied) => asked.has(implied)),
  );
}
