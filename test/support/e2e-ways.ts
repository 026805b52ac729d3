import type { CheckClient } from './check-client.ts';
import { type AskedCheck, checkRequest, checkResponse, type HeaderMode } from './check-messages.ts';
import type { MoreSetup, Stack } from './e2e-stack.ts';
import type { TestEnvoy } from './envoy.ts';
import type { HttpResponse, RequestInit } from './http-clients.ts';
import type { Sidecar } from './sidecar.ts';

/**
 * How a request can reach a decision: as bytes to Check, which is all that latchkey can rely on; through an Envoy without
 * hardening; through the reference configuration. Each with headers one by one and as a map.
 */
export const ENVOY_WAYS = ['bare raw', 'bare map', 'reference raw', 'reference map'] as const;
export const WAYS = ['check raw', 'check map', ...ENVOY_WAYS] as const;
export type EnvoyWay = (typeof ENVOY_WAYS)[number];
export type Way = (typeof WAYS)[number];

/**
 * Who ended a request and how: `upstream 200`, which Check's allow counts as; `envoy 400`, without asking, or since it would not
 * carry out the answer; `latchkey 401 key_unknown`, with the reason of its log.
 */
export type Verdict = string;

export type Envoys = Readonly<Record<EnvoyWay, TestEnvoy>>;

export interface Ways {
  readonly envoys: Envoys;
  /** One request, one way. */
  ask(way: Way, request: AskedCheck): Promise<Verdict>;
  /** One request, all ways. */
  askAll(request: AskedCheck): Promise<Record<Way, Verdict>>;
  /** Who gave this answer. */
  verdictOf(response: HttpResponse): Promise<Verdict>;
  /** Bytes to Check. */
  check(bytes: Buffer): Promise<Verdict>;
}

/** One Envoy for each way that has one. */
export async function openEnvoys(stack: Stack, more: MoreSetup = {}): Promise<Envoys> {
  return {
    'bare raw': await stack.addBareEnvoy('raw', more),
    'bare map': await stack.addBareEnvoy('map', more),
    'reference raw': await stack.addEnvoy('raw', more),
    'reference map': await stack.addEnvoy('map', more),
  };
}

export async function openWays(stack: Stack): Promise<Ways> {
  const envoys = await openEnvoys(stack);
  const client = stack.addCheckClient();
  const verdictOf = (response: HttpResponse) => httpVerdict(response, stack.sidecar);
  const ask = async (way: Way, request: AskedCheck): Promise<Verdict> => {
    if (way === 'check raw' || way === 'check map') {
      const mode: HeaderMode = way === 'check raw' ? 'raw' : 'map';
      return checkVerdict(client, checkRequest({ ...request, mode }));
    }
    return verdictOf(await envoys[way].request(onTheWire(request)));
  };
  return {
    ...{ envoys, ask, verdictOf },
    check: (bytes) => checkVerdict(client, bytes),
    async askAll(request) {
      const verdicts = WAYS.map(async (way) => [way, await ask(way, request)] as const);
      // The names are those of the table.
      return Object.fromEntries(await Promise.all(verdicts)) as Record<Way, Verdict>;
    },
  };
}

function onTheWire({ host, headers = [], ...request }: AskedCheck): RequestInit {
  const hostLine = host === undefined ? [] : [['host', host] as const];
  return { ...request, headers: [...hostLine, ...headers] };
}

/** What latchkey refuses carries a decision_id, and its log line says why. */
async function httpVerdict(response: HttpResponse, sidecar: Sidecar): Promise<Verdict> {
  const { status, body } = response;
  if (response.header('x-envoy-upstream-service-time') !== undefined) return `upstream ${status}`;
  const id = /"decision_id":"([^"]+)"/.exec(body)?.[1];
  if (id === undefined) return `envoy ${status}`;
  const line = await sidecar.logged({ decision_id: id });
  return `latchkey ${status} ${String(line['reason'])}`;
}

async function checkVerdict(client: CheckClient, bytes: Buffer): Promise<Verdict> {
  const outcome = await client.check(bytes);
  if (outcome.kind === 'failure') return `gRPC error ${outcome.code}`;
  const response = checkResponse(outcome.bytes);
  const code = response.status?.code ?? 0;
  // As Envoy reads it: code 0 is an allow, whatever else is in the answer.
  if (code === 0) return 'upstream 200';
  const reason = response.dynamic_metadata?.fields['reason']?.stringValue;
  return `latchkey ${response.denied_response?.status?.code} ${reason}`;
}
