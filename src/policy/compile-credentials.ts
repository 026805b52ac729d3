import type { CredentialPlace, NamedCredential } from '../model/credential.ts';
import type { ClientAddressSource, PrincipalHeaderNames } from '../model/policy.ts';
import { SLOT_FIRST_OWN, SLOT_NAMES } from '../model/request.ts';
import type { Findings } from './findings.ts';
import { reservedHeader } from './header-names.ts';
import type { PolicyPath } from './problem.ts';
import type { CredentialEntry, PolicyFile } from './schema.ts';

/** Unreserved characters only (RFC 3986 §2.3): such a name has one plain spelling in a query string. */
const QUERY_NAME = /^[A-Za-z0-9._~-]{1,64}$/;
/** RFC 6265 §4.1.1 `cookie-name` and RFC 9110 §5.6.2 are the same `token`. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,128}$/;

export interface CredentialContext {
  readonly realm: string;
  readonly principalHeaders: PrincipalHeaderNames;
  readonly findings: Findings;
}

/** The named credentials in the file's order, API key headers with a slot each. */
export function compileCredentials(
  entries: PolicyFile['credentials'],
  context: CredentialContext,
): readonly NamedCredential[] {
  const credentials: NamedCredential[] = [];
  const nameByPlace = new Map<string, string>();
  let slot = SLOT_FIRST_OWN;
  for (const [name, entry] of Object.entries(entries)) {
    const path = ['credentials', name];
    const place = compilePlace(entry, slot, { ...context, path });
    if (place === undefined) continue;
    if (place.place === 'header') slot += 1;
    const key = placeKey(place);
    const first = nameByPlace.get(key);
    if (first !== undefined) {
      const message = `the same place as credential "${first}"; a place can hold one kind of credential only. Remove one.`;
      context.findings.error(path, message);
      continue;
    }
    nameByPlace.set(key, name);
    const environments = entry.environments ?? null;
    warnOfQuery(place, environments, { ...context, path });
    credentials.push({
      name,
      kind: 'api_key',
      environments,
      challenge: challengeOf(place, context.realm),
      ...place,
    });
  }
  return credentials;
}

interface PlaceContext extends CredentialContext {
  readonly path: PolicyPath;
}

function compilePlace(
  entry: CredentialEntry,
  slot: number,
  context: PlaceContext,
): CredentialPlace | undefined {
  switch (entry.type) {
    case 'bearer':
      return { place: 'bearer' };
    case 'basic':
      return { place: 'basic' };
    case 'api_key':
      return keyPlace(entry, slot, context);
  }
}

function keyPlace(
  entry: Extract<CredentialEntry, { type: 'api_key' }>,
  slot: number,
  { path, principalHeaders, findings }: PlaceContext,
): CredentialPlace | undefined {
  const refuse = (message: string): undefined => {
    findings.error([...path, 'name'], message);
    return undefined;
  };
  switch (entry.in) {
    case 'header': {
      const header = entry.name.toLowerCase();
      if (!TOKEN.test(header)) return refuse(`${JSON.stringify(entry.name)} is no header name.`);
      const reserved = reservedHeader(header);
      if (reserved !== undefined) return refuse(`${reserved}; choose another header.`);
      if (Object.values(principalHeaders).includes(header)) {
        return refuse(`${header} is a principal header; choose another header.`);
      }
      if (header.includes('_')) {
        const message = 'Envoy is best set to refuse header names with "_"; prefer "-".';
        findings.warn([...path, 'name'], message);
      }
      return { place: 'header', header, slot };
    }
    case 'query':
      if (QUERY_NAME.test(entry.name)) return { place: 'query', parameter: entry.name };
      return refuse('a query parameter here is 1 to 64 letters, digits, ".", "_", "~" and "-".');
    case 'cookie':
      if (TOKEN.test(entry.name)) return { place: 'cookie', cookie: entry.name };
      return refuse(`${JSON.stringify(entry.name)} is no cookie name.`);
  }
}

function placeKey(place: CredentialPlace): string {
  switch (place.place) {
    case 'bearer':
    case 'basic':
      return place.place;
    case 'header':
      return `header ${place.header}`;
    case 'query':
      return `query ${place.parameter}`;
    case 'cookie':
      return `cookie ${place.cookie}`;
  }
}

/** Only Bearer and Basic are registered schemes; `ApiKey` tells a reader where else a key may stand. */
function challengeOf(place: CredentialPlace, realm: string): string {
  switch (place.place) {
    case 'bearer':
      return `Bearer realm="${realm}"`;
    case 'basic':
      return `Basic realm="${realm}", charset="UTF-8"`;
    case 'header':
      return `ApiKey realm="${realm}", in="header", name="${place.header}"`;
    case 'query':
      return `ApiKey realm="${realm}", in="query", name="${place.parameter}"`;
    case 'cookie':
      return `ApiKey realm="${realm}", in="cookie", name="${place.cookie}"`;
  }
}

function warnOfQuery(
  place: CredentialPlace,
  environments: readonly string[] | null,
  { path, findings }: PlaceContext,
): void {
  if (place.place !== 'query' || (environments !== null && !environments.includes('live'))) return;
  const message =
    'addresses are logged and shared, and a key in a query string with them; consider environments: [test].';
  findings.warn(path, message);
}

/** Names of the request headers that this policy reads, by slot; `''` for a fixed slot that it does not need. */
export function compileWantedHeaders(
  credentials: readonly NamedCredential[],
  clientAddress: ClientAddressSource,
): readonly string[] {
  const uses = (...places: readonly CredentialPlace['place'][]): boolean =>
    credentials.some((credential) => places.includes(credential.place));
  const isWanted: Record<(typeof SLOT_NAMES)[number], boolean> = {
    authorization: uses('bearer', 'basic'),
    cookie: uses('cookie'),
    'x-envoy-external-address': clientAddress.from === 'envoy_external',
    'x-forwarded-for': clientAddress.from === 'xff',
    'content-type': true,
    'sec-fetch-site': uses('cookie'),
    origin: uses('cookie'),
    upgrade: uses('cookie'),
  };
  const fixed = SLOT_NAMES.map((name) => (isWanted[name] ? name : ''));
  const own = credentials.flatMap((credential) =>
    credential.place === 'header' ? [credential.header] : [],
  );
  return [...fixed, ...own];
}
