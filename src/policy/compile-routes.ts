import type { NamedCredential } from '../model/credential.ts';
import type { Plan } from '../model/plan.ts';
import type { OrganizationBinding, RouteRule, ScopeRequirement } from '../model/route-rule.ts';
import type { Findings } from './findings.ts';
import { type HostPattern, readHostPattern } from './host-pattern.ts';
import { readTemplate, type TemplatePart } from './path-template.ts';
import { didYouMean, type PolicyPath } from './problem.ts';
import { answeredMethods, DEFAULT_METHODS, type RoutePlacement } from './route-table.ts';
import type { RouteEntry } from './schema-routes.ts';

/** What routes refer to. */
export interface RouteContext {
  readonly credentials: readonly NamedCredential[];
  /** Names that may be in the file but are no credentials because they are broken: their faults are told already. */
  readonly isBrokenCredential: (name: string) => boolean;
  readonly hasBrokenCredentials: boolean;
  /** `undefined`: the file's list is broken. */
  readonly environments: readonly string[] | undefined;
  readonly plans: ReadonlyMap<string, Plan>;
  /** Empty if the file declares none: then scopes are not held against a list. */
  readonly declaredScopes: ReadonlySet<string>;
  readonly findings: Findings;
}

/** A route at its place in the file. */
export interface PlacedRoute extends RoutePlacement {
  readonly path: PolicyPath;
}

/** `undefined`: it is not known where the route stands. Every fault of it is told. */
export function compileRoute(
  entry: RouteEntry,
  path: PolicyPath,
  context: RouteContext,
): PlacedRoute | undefined {
  const parts = compileTemplate(entry, path, context);
  const hosts = compileHosts(entry, path, context);
  const methods = [...new Set(entry.match.methods ?? DEFAULT_METHODS)];
  const rule: RouteRule = {
    name: entry.name,
    methods: answeredMethods(methods),
    auth: entry.auth,
    hide: entry.hide,
    accept: compileAccept(entry, path, context),
    scopes: compileScopes(entry, path, context),
    environments: compileEnvironments(entry, path, context),
    organization: compileOrganization(entry, parts, { path, findings: context.findings }),
    cost: entry.cost,
    passCredential: entry.pass_credential,
  };
  checkAuth(entry, path, context);
  checkCost(entry, path, context);
  if (parts.length === 0) return undefined;
  return { rule, hosts, parts, methods, path };
}

function compileTemplate(
  entry: RouteEntry,
  path: PolicyPath,
  { findings }: RouteContext,
): readonly TemplatePart[] {
  const reading = readTemplate(entry.match.path);
  if (reading.kind === 'template') return reading.parts;
  findings.error([...path, 'match', 'path'], reading.message);
  return [];
}

function compileHosts(
  entry: RouteEntry,
  path: PolicyPath,
  { findings }: RouteContext,
): readonly HostPattern[] {
  const hosts: HostPattern[] = [];
  for (const [index, text] of (entry.match.hosts ?? ['*']).entries()) {
    const pattern = readHostPattern(text);
    if (typeof pattern === 'string') findings.error([...path, 'match', 'hosts', index], pattern);
    else hosts.push(pattern);
  }
  return hosts;
}

function compileAccept(
  entry: RouteEntry,
  path: PolicyPath,
  { credentials, isBrokenCredential, hasBrokenCredentials, findings }: RouteContext,
): readonly NamedCredential[] {
  if (entry.auth === 'none') return [];
  if (entry.accept === undefined) {
    if (credentials.length === 0 && !hasBrokenCredentials) {
      const message =
        'the route wants a credential, but the policy names none; add one under credentials, or set auth: none.';
      findings.error(path, message);
    }
    return credentials;
  }
  if (entry.accept.length === 0) {
    const message =
      'accepts nothing, so nobody could get in; name a credential, or leave accept out for all.';
    findings.error([...path, 'accept'], message);
  }
  const known = credentials.map(({ name }) => name);
  for (const [index, name] of entry.accept.entries()) {
    if (known.includes(name) || isBrokenCredential(name)) continue;
    const list = known.length === 0 ? 'none' : known.join(', ');
    const message = `there is no credential ${JSON.stringify(name)}; the policy names ${list}.${didYouMean(name, known)}`;
    findings.error([...path, 'accept', index], message);
  }
  const { accept } = entry;
  return credentials.filter(({ name }) => accept.includes(name));
}

function compileScopes(
  entry: RouteEntry,
  path: PolicyPath,
  { declaredScopes, findings }: RouteContext,
): ScopeRequirement {
  const { scopes } = entry;
  const requirement = Array.isArray(scopes)
    ? { allOf: scopes, anyOf: [] }
    : { allOf: scopes.all_of, anyOf: scopes.any_of };
  if (declaredScopes.size > 0) {
    for (const scope of [...requirement.allOf, ...requirement.anyOf]) {
      if (declaredScopes.has(scope)) continue;
      const message = `nothing else in the file mentions the scope ${JSON.stringify(scope)}; declare it under scopes if it is meant.${didYouMean(scope, [...declaredScopes])}`;
      findings.warn([...path, 'scopes'], message);
    }
  }
  return requirement;
}

/** Live keys only, unless the route says otherwise: a test key must not reach what is real by an omission. */
const DEFAULT_ENVIRONMENT = 'live';

function compileEnvironments(
  entry: RouteEntry,
  path: PolicyPath,
  { environments, findings }: RouteContext,
): readonly string[] {
  if (entry.environments === undefined) {
    if (environments?.includes(DEFAULT_ENVIRONMENT) === false && entry.auth !== 'none') {
      const message = `the default is [live], which key_format.environments does not have; add environments here, of ${environments.join(', ')}.`;
      findings.error(path, message);
    }
    return [DEFAULT_ENVIRONMENT];
  }
  checkEnvironments(entry.environments, [...path, 'environments'], { environments, findings });
  return entry.environments;
}

export function checkEnvironments(
  names: readonly string[],
  path: PolicyPath,
  { environments, findings }: Pick<RouteContext, 'environments' | 'findings'>,
): void {
  if (environments === undefined) return;
  for (const [index, name] of names.entries()) {
    if (environments.includes(name)) continue;
    const message = `${JSON.stringify(name)} is not one of key_format.environments: ${environments.join(', ')}.${didYouMean(name, environments)}`;
    findings.error([...path, index], message);
  }
}

function compileOrganization(
  entry: RouteEntry,
  parts: readonly TemplatePart[],
  { path, findings }: { readonly path: PolicyPath; readonly findings: Findings },
): OrganizationBinding | undefined {
  const { organization } = entry;
  const isParameter = (index: number) => parts[index]?.kind === 'parameter';
  // An unreadable template has no parts, and its fault is told already.
  if (
    organization?.from === 'path_segment' &&
    parts.length > 0 &&
    !isParameter(organization.index)
  ) {
    const indexes = [...parts.keys()].filter(isParameter);
    const known = indexes.length === 0 ? 'none' : indexes.join(', ');
    const message = `segment ${organization.index} of ${entry.match.path} is no {parameter}; those, counted from 0, are: ${known}.`;
    findings.error([...path, 'organization', 'index'], message);
  }
  return organization;
}

function checkAuth(entry: RouteEntry, path: PolicyPath, { findings }: RouteContext): void {
  const needsScopes = Array.isArray(entry.scopes)
    ? entry.scopes.length > 0
    : entry.scopes.all_of.length + entry.scopes.any_of.length > 0;
  if (needsScopes && entry.auth !== 'required') {
    const message = `scopes need a credential, but auth: ${entry.auth} lets requests through without one; remove the scopes or the auth.`;
    findings.error([...path, 'scopes'], message);
  }
  if (entry.organization !== undefined && entry.auth === 'optional') {
    const message =
      'whoever leaves the credential out would get past it with auth: optional; remove one of the two.';
    findings.error([...path, 'organization'], message);
  }
  if (entry.auth !== 'none') return;
  const meaningless = {
    hide: entry.hide,
    accept: entry.accept !== undefined,
    environments: entry.environments !== undefined,
    organization: entry.organization !== undefined,
  };
  for (const [field, isSet] of Object.entries(meaningless)) {
    if (!isSet) continue;
    const message = `has no meaning with auth: none, which looks at no credential; remove one of the two.`;
    findings.error([...path, field], message);
  }
}

/** A message is one line. */
const LIMITS_TOLD_MAX = 5;

/** A request that costs more than can ever be available at once would be refused for ever, with a Retry-After that lies. */
function checkCost(entry: RouteEntry, path: PolicyPath, { plans, findings }: RouteContext): void {
  const tooSmall = [...plans.values()].flatMap((plan) =>
    plan.limits.filter(({ burst }) => entry.cost > burst),
  );
  const [first, ...others] = tooSmall.toSorted((a, b) => a.burst - b.burst);
  if (first === undefined) return;
  const ids = others.slice(0, LIMITS_TOLD_MAX).map(({ id }) => id);
  const also = ids.length === 0 ? '' : ` (also too small: ${ids.join(', ')})`;
  const message = `costs ${entry.cost}, but the limit ${first.id} never has more than ${first.burst} at once${also}; raise quota or burst, or lower the cost.`;
  findings.error([...path, 'cost'], message);
}
