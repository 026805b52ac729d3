import type { Echo } from '../../src/app/echo-upstream.ts';
import { LIMIT_HEADERS } from './e2e-answers.ts';
import type { TestKey } from './e2e-keys.ts';
import type { TestEnvoy } from './envoy.ts';
import type { HeaderPairs } from './http-clients.ts';

/** The headers that nobody but latchkey sets. */
const OURS: readonly string[] = [
  'x-principal-id',
  'x-principal-organization',
  'x-principal-scopes',
  'x-principal-plan',
  'x-credential-id',
  'x-auth-method',
  ...LIMIT_HEADERS,
];

const CLIENTS = ['HTTP/1.1', 'HTTP/2', 'gRPC'] as const;
type Client = (typeof CLIENTS)[number];

const upperFirst = (name: string): string =>
  name.replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase());

const once: HeaderPairs = OURS.map((name) => [name, 'evil']);

/** Each of latchkey's headers as a client could send it: again, in other letters, as a list, empty. */
export const FORGED: HeaderPairs = [
  ...once,
  ...OURS.map((name): [string, string] => [upperFirst(name), 'evil, evil']),
  ...OURS.map((name): [string, string] => [name.toUpperCase(), '']),
];

/** Where a client goes, and with which key. */
export interface Visit {
  readonly path: string;
  /** Absent: `path`. */
  readonly grpcPath?: string;
  /** Makes one for each client; absent: none of them has one. */
  readonly key?: () => Promise<TestKey>;
}

export interface ForgedAnswer {
  readonly client: Client;
  readonly key: TestKey | undefined;
  /** The HTTP status, or the gRPC code. */
  readonly status: number;
  /** What the upstream was told under the names that are latchkey's, in a fixed order; absent: it was not asked. */
  readonly told: HeaderPairs | undefined;
  /** Everything that the client got back; where the upstream was asked, also everything that it saw. */
  readonly received: string;
}

/** One request of each kind of client, each of which names its own principal and its own limits before and after its key. */
export async function sendForged(envoy: TestEnvoy, visit: Visit): Promise<readonly ForgedAnswer[]> {
  const answers: ForgedAnswer[] = [];
  for (const client of CLIENTS) {
    const key = await visit.key?.();
    const forged = client === 'HTTP/1.1' ? FORGED : once;
    const credential: HeaderPairs = key === undefined ? [] : [bearer(key)];
    const path = client === 'gRPC' ? (visit.grpcPath ?? visit.path) : visit.path;
    const before = envoy.upstream.requests();
    const answer = await send[client](envoy, path, [...forged, ...credential, ...once]);
    const wasAsked = envoy.upstream.requests() > before;
    answers.push({
      ...{ client, key, status: answer.status, received: answer.received },
      told: wasAsked ? ours(answer.echo()) : undefined,
    });
  }
  return answers;
}

interface Answer {
  readonly status: number;
  readonly received: string;
  echo(): Echo | undefined;
}

type Send = (envoy: TestEnvoy, path: string, headers: HeaderPairs) => Promise<Answer>;

const send: Readonly<Record<Client, Send>> = {
  'HTTP/1.1': async (envoy, path, headers) => {
    const { status, headers: sent, body, echo } = await envoy.request({ path, headers });
    return { status, echo, received: `${sent.join('\n')}\n${body}` };
  },
  'HTTP/2': async (envoy, path, headers) => {
    const { status, headers: sent, body, echo } = await envoy.http2Request({ path, headers });
    return { status, echo, received: `${sent.join('\n')}\n${body}` };
  },
  gRPC: async (envoy, path, headers) => {
    const { code, message, metadata, echo } = await envoy.grpcRequest({ path, headers });
    const received = `${JSON.stringify(metadata)}\n${message}\n${JSON.stringify(echo)}`;
    return { status: code, echo: () => echo, received };
  },
};

export const bearer = (key: TestKey): [string, string] => ['authorization', `Bearer ${key.text}`];

function ours(echo: Echo | undefined): HeaderPairs {
  const lines = (echo?.headers ?? []).filter(([name]) => OURS.includes(name.toLowerCase()));
  return lines.map(([name, value]): [string, string] => [name, value]).sort();
}
