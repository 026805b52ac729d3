import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { ReadinessReport } from './ports.ts';

export interface AdminServerOptions {
  /** Port 0 lets the system choose. IPv6 addresses without brackets. */
  readonly listen: { readonly host: string; readonly port: number };
  readonly readiness: () => ReadinessReport;
  /** The text of a scrape and its content type. */
  readonly scrape: () => Promise<{ readonly contentType: string; readonly body: string }>;
  /** An error that no request can explain. Its caller gets a 500 without a word of it. */
  readonly onFault: (error: unknown) => void;
}

export interface AdminServer {
  /** Where it listens; a port of 0 has become the real one. */
  readonly address: { readonly host: string; readonly port: number };
  /** Answers what is under way and closes every connection. */
  close(): Promise<void>;
}

export type AdminServerStart =
  | { readonly kind: 'started'; readonly server: AdminServer }
  /** The address cannot be used; `message` says why and what to do. */
  | { readonly kind: 'failed'; readonly message: string };

/** No request here has a body. */
const BODY_BYTES_MAX = 1024;
/** A scraper or a kubelet sends a few hundred bytes. */
const HEADER_BYTES_MAX = 8 * 1024;
/** From the first byte of a request to its last, and for a connection on which nothing comes. */
const REQUEST_TIMEOUT_MS = 2_000;
/** Between two scrapes of the usual 15 s or 30 s the connection is closed. */
const KEEP_ALIVE_MS = 5_000;
/** Scrapers, probes and an operator; the Check port's descriptors are not theirs to use up. */
const CONNECTIONS_MAX = 64;
/** How often Node looks for connections whose time is over. */
const TIMEOUT_CHECK_MS = 500;

/**
 * Health and metrics. `/livez` is 200 as long as the event loop turns: it must not fail with Postgres, or an outage would
 * restart every pod. `/readyz` is 200 while requests are welcome, degraded included.
 */
export async function startAdminServer(options: AdminServerOptions): Promise<AdminServerStart> {
  const app = createApp(options);
  const { host, port } = options.listen;
  try {
    await app.listen({ host, port });
  } catch (error) {
    await app.close();
    return { kind: 'failed', message: listenProblem(error, options.listen) };
  }
  const bound = app.server.address();
  return {
    kind: 'started',
    server: {
      address:
        typeof bound === 'object' && bound !== null ? { host, port: bound.port } : { host, port },
      close: () => app.close(),
    },
  };
}

function createApp({ readiness, scrape, onFault }: AdminServerOptions): FastifyInstance {
  const app = fastify({
    logger: false,
    bodyLimit: BODY_BYTES_MAX,
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    forceCloseConnections: true,
    // Probes must see what /readyz says until the very end, not a 503 of the framework.
    return503OnClosing: false,
    http: { maxHeaderSize: HEADER_BYTES_MAX, connectionsCheckingInterval: TIMEOUT_CHECK_MS },
    frameworkErrors: (_error, _request, reply) =>
      sendProblem(reply, { status: 400, code: 'bad_request' }),
  });
  app.server.maxConnections = CONNECTIONS_MAX;
  app.addHook('onRequest', async (request, reply) => {
    reply.header('cache-control', 'no-store').header('x-content-type-options', 'nosniff');
    return refuseTheRest(request, reply);
  });
  app.get('/livez', async () => ({ state: 'live' }));
  app.get('/readyz', async (_request, reply) => {
    const report = readiness();
    return reply.code(report.state === 'not_ready' ? 503 : 200).send(told(report));
  });
  app.get('/metrics', async (_request, reply) => {
    const { contentType, body } = await scrape();
    return reply.type(contentType).send(body);
  });
  app.setErrorHandler((error, _request, reply) => {
    onFault(error);
    return sendProblem(reply, { status: 500, code: 'internal_error' });
  });
  return app;
}

/** For people: times as text, and what is wrong before what is not. */
function told({ state, parts }: ReadinessReport): object {
  const byTrouble = parts.toSorted((one, other) => TROUBLE[other.state] - TROUBLE[one.state]);
  return {
    state,
    parts: byTrouble.map(({ sinceMs, ...part }) => ({
      ...part,
      since: new Date(sinceMs).toISOString(),
    })),
  };
}

const TROUBLE = { ready: 0, degraded: 1, not_ready: 2 } as const;

const PATHS: readonly string[] = ['/livez', '/readyz', '/metrics'];

/** Before anything else: neither a body nor what it claims to be is looked at, so the answer does not depend on them. */
function refuseTheRest(request: FastifyRequest, reply: FastifyReply): FastifyReply | undefined {
  const isKnown = PATHS.includes(request.url.split('?', 1)[0] ?? '');
  if (isKnown && (request.method === 'GET' || request.method === 'HEAD')) return undefined;
  // Whoever comes with a body or to the wrong place is no scraper: nothing more is read from it.
  reply.header('connection', 'close');
  if (!isKnown) return sendProblem(reply, { status: 404, code: 'not_found', paths: PATHS });
  const problem = { status: 405, code: 'method_not_allowed' };
  return sendProblem(reply.header('allow', 'GET, HEAD'), problem);
}

interface Problem {
  readonly status: number;
  readonly code: string;
  /** Where there is something. */
  readonly paths?: readonly string[];
}

function sendProblem(reply: FastifyReply, problem: Problem): FastifyReply {
  return reply.code(problem.status).type('application/json; charset=utf-8').send(problem);
}

function listenProblem(error: unknown, { host, port }: AdminServerOptions['listen']): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
  const where = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  const change = 'LATCHKEY_ADMIN_LISTEN or --admin-listen chooses another address.';
  switch (code) {
    case 'EADDRINUSE':
      return `Health and metrics cannot listen on ${where}: another process does. Stop it; ${change}`;
    case 'EACCES':
      return `Health and metrics may not listen on ${where}: ports below 1024 need a privilege. ${change}`;
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return `Health and metrics cannot listen on ${where}: this machine has no such address. ${change}`;
    default:
      return `Health and metrics cannot listen on ${where} (${code}). ${change}`;
  }
}
