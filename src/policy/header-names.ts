import type { PrincipalHeaderNames } from '../model/policy.ts';
import type { Findings } from './findings.ts';
import type { PolicyFile } from './schema.ts';

/** RFC 9110 §7.6.1 and RFC 9113 §8.2.2: they concern one connection, and Envoy drops or rewrites them. */
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** They say how the message is framed or where it goes, or Envoy owns them. */
const OWNED = new Set([
  'host',
  'content-length',
  'content-type',
  'authorization',
  'cookie',
  'origin',
  'sec-fetch-site',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-request-id',
]);

/** Why a policy cannot give a header of this name a meaning of its own; `undefined`: it can. Lower case. */
export function reservedHeader(name: string): string | undefined {
  if (name === 'authorization')
    return 'Authorization is read by credentials of type bearer and basic';
  if (name === 'cookie') return 'cookies are read by credentials with in: cookie';
  if (HOP_BY_HOP.has(name)) return `${name} concerns one connection only`;
  if (OWNED.has(name)) return `${name} has a meaning of its own`;
  if (name.startsWith('x-envoy-')) return 'names that begin with x-envoy- belong to Envoy';
  return undefined;
}

export function compilePrincipalHeaders(
  entry: PolicyFile['principal_headers'],
  findings: Findings,
): PrincipalHeaderNames {
  const names: PrincipalHeaderNames = {
    id: entry.id.toLowerCase(),
    organization: entry.organization.toLowerCase(),
    scopes: entry.scopes.toLowerCase(),
    plan: entry.plan.toLowerCase(),
    credential: entry.credential.toLowerCase(),
    method: entry.method.toLowerCase(),
  };
  const fieldByName = new Map<string, string>();
  for (const [field, name] of Object.entries(names)) {
    const path = ['principal_headers', field];
    const reserved = reservedHeader(name);
    const first = fieldByName.get(name);
    if (reserved !== undefined) {
      findings.error(path, `${reserved}; choose another name.`);
    } else if (first !== undefined) {
      const message = `${JSON.stringify(name)} is the name of the header for "${first}" already; choose another.`;
      findings.error(path, message);
    }
    fieldByName.set(name, field);
  }
  return names;
}

/** Envoy removes headers after it has set ours, so a stripped name must not be one of ours. */
export function compileStripHeaders(
  names: readonly string[],
  principalHeaders: PrincipalHeaderNames,
  findings: Findings,
): readonly string[] {
  const ours = new Set(Object.values(principalHeaders));
  const framing = new Set(['host', 'content-length', 'transfer-encoding']);
  const stripped = names.map((name) => name.toLowerCase());
  for (const [index, name] of stripped.entries()) {
    const path = ['strip_headers', index];
    if (ours.has(name)) {
      const message = `${name} is a principal header: a client's own is always replaced. Remove it here.`;
      findings.error(path, message);
    } else if (framing.has(name)) {
      findings.error(path, `${name} cannot be removed from a request. Remove it here.`);
    }
  }
  return [...new Set(stripped)];
}
