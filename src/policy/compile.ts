import { hash } from 'node:crypto';
import type { KeyFormat } from '../key-text/key-format.ts';
import type { ClientAddressSource, CompiledPolicy } from '../model/policy.ts';
import { anonymous } from '../model/standing-answer.ts';
import { compileCredentials, compileWantedHeaders } from './compile-credentials.ts';
import { compileErrors } from './compile-errors.ts';
import { compileFailedAuthentications, compilePlans } from './compile-plans.ts';
import {
  checkEnvironments,
  compileRoute,
  type PlacedRoute,
  type RouteContext,
} from './compile-routes.ts';
import { compileImpliedScopes, compileRoleScopes, declaredScopes } from './compile-scopes.ts';
import { createFindings, type Findings } from './findings.ts';
import { compilePrincipalHeaders, compileStripHeaders } from './header-names.ts';
import { warnOfSeenThrough } from './hidden-routes.ts';
import { createKeyReader } from './key-reader.ts';
import { compileLookalikes } from './lookalike-headers.ts';
import { type ParsedPolicy, parsePolicy } from './parse.ts';
import { inFileOrder, type PolicyProblem } from './problem.ts';
import { compilePublicOrigins } from './public-origins.ts';
import { checkNames, checkOverlaps } from './route-conflicts.ts';
import { buildHostTable } from './route-table.ts';
import type { PolicyFile } from './schema.ts';

/** A compiled policy, and what of the file concerns others than the decision. */
export interface FilePolicy extends CompiledPolicy {
  /** What new keys look like. */
  readonly keyFormat: KeyFormat;
  /** The scope with which a key may use the key API; `null`: no key may. */
  readonly administrationScope: string | null;
}

export type CompileResult =
  | {
      readonly kind: 'compiled';
      readonly policy: FilePolicy;
      readonly warnings: readonly PolicyProblem[];
    }
  | { readonly kind: 'rejected'; readonly errors: readonly PolicyProblem[] };

/** The text of a policy file → a policy, or everything that is wrong with it, in the file's order. */
export function compilePolicy(text: string, generation = 0): CompileResult {
  const { parsed, problems } = parsePolicy(text);
  if (parsed === undefined) return { kind: 'rejected', errors: inFileOrder(problems) };
  const findings = createFindings(parsed.tree, problems);
  const policy = compileFile(parsed, { generation, sha256: hash('sha256', text) }, findings);
  if (findings.errors.length > 0) {
    return { kind: 'rejected', errors: inFileOrder(findings.errors) };
  }
  return { kind: 'compiled', policy, warnings: inFileOrder(findings.warnings) };
}

type Identity = Pick<CompiledPolicy, 'generation' | 'sha256'>;

function compileFile(parsed: ParsedPolicy, identity: Identity, findings: Findings): FilePolicy {
  const { file } = parsed;
  const keyFormat = compileKeyFormat(file);
  const principalHeaders = compilePrincipalHeaders(file.principal_headers, findings);
  const clientAddress = compileClientAddress(file.client_address);
  const credentials = compileCredentials(file.credentials, {
    realm: file.realm,
    principalHeaders,
    findings,
  });
  checkCredentialEnvironments(parsed, findings);
  const plans = compilePlans(file, findings);
  const wantedHeaders = compileWantedHeaders(credentials, clientAddress);
  const lookalikeHeaders = compileLookalikes(principalHeaders, wantedHeaders.length, findings);
  const routes = compileRoutes(parsed, { credentials, plans, findings });
  const stripHeaders = compileStripHeaders(file.strip_headers, principalHeaders, findings);
  const impliedScopes = compileImpliedScopes(file.scopes, findings);
  warnOfOutageForm(file, findings);
  return {
    ...identity,
    realm: file.realm,
    hosts: buildHostTable(routes),
    rulesByName: new Map(routes.map(({ rule }) => [rule.name, rule])),
    credentials,
    wantedHeaders: [...wantedHeaders, ...lookalikeHeaders.map(({ name }) => name)],
    impliedScopes,
    roleScopes: compileRoleScopes(file.roles, impliedScopes),
    plans,
    anonymous: anonymous(Object.values(principalHeaders), stripHeaders, plans),
    failedAuthentications: compileFailedAuthentications(file.failed_authentications, findings),
    clientAddress,
    principalHeaders,
    lookalikeHeaders,
    stripHeaders,
    publicOrigins: compilePublicOrigins(file.public_origins, findings),
    rateLimitReset: file.rate_limit_headers.reset,
    errors: compileErrors(file.errors, findings),
    outage: file.outage,
    readKey: createKeyReader({
      format: keyFormat,
      acceptForeign: file.key_format.accept_foreign,
      alsoAccept: file.key_format.also_accept,
    }),
    keyFormat,
    administrationScope: file.administration_scope,
  };
}

function compileKeyFormat({ key_format: entry }: PolicyFile): KeyFormat {
  const { prefix, separator, environments } = entry;
  return { prefix, separator, environments: [...new Set(environments)] };
}

function compileClientAddress(entry: PolicyFile['client_address']): ClientAddressSource {
  return typeof entry === 'string' ? { from: entry } : { from: 'xff', hops: entry.xff };
}

function compileRoutes(
  parsed: ParsedPolicy,
  compiled: Pick<FilePolicy, 'credentials' | 'plans'> & { readonly findings: Findings },
): readonly PlacedRoute[] {
  const { file, routeIndexes } = parsed;
  const { findings } = compiled;
  const context = {
    ...compiled,
    ...brokenCredentials(parsed, compiled.credentials),
    environments: knownEnvironments(parsed),
    declaredScopes: declaredScopes(file),
  };
  const entries = file.routes.map((entry, position) => ({
    entry,
    name: entry.name,
    path: ['routes', routeIndexes[position] ?? position],
  }));
  checkNames(entries, findings);
  const routes = entries.flatMap(({ entry, path }) => compileRoute(entry, path, context) ?? []);
  checkOverlaps(routes, findings);
  warnOfSeenThrough(routes, findings);
  if (entries.length === 0)
    findings.warn(['routes'], 'there is no route: every request is refused.');
  return routes;
}

function brokenCredentials(
  { broken, tree }: ParsedPolicy,
  credentials: FilePolicy['credentials'],
): Pick<RouteContext, 'isBrokenCredential' | 'hasBrokenCredentials'> {
  if (broken.has('credentials'))
    return { isBrokenCredential: () => true, hasBrokenCredentials: true };
  const written = tree.childKeys(['credentials']);
  const compiled = new Set(credentials.map(({ name }) => name));
  return {
    isBrokenCredential: (name) => written.includes(name) && !compiled.has(name),
    hasBrokenCredentials: written.length > compiled.size,
  };
}

function knownEnvironments({ file, broken }: ParsedPolicy): readonly string[] | undefined {
  return broken.has('key_format') ? undefined : file.key_format.environments;
}

function checkCredentialEnvironments(parsed: ParsedPolicy, findings: Findings): void {
  const environments = knownEnvironments(parsed);
  for (const [name, entry] of Object.entries(parsed.file.credentials)) {
    const path = ['credentials', name, 'environments'];
    checkEnvironments(entry.environments ?? [], path, { environments, findings });
  }
}

function warnOfOutageForm({ outage }: PolicyFile, findings: Findings): void {
  if (outage === 'denied') return;
  const message = `Envoy's failure_mode_allow turns ${outage} into an allow; with outage: denied nothing does.`;
  findings.warn(['outage'], message);
}
