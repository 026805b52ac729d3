import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { CheckReply } from '../../../src/envoy/ports.ts';
import { createRunner, type RunnerParts } from '../../../src/envoy/runner.ts';
import type { Fact, Need } from '../../../src/model/memory.ts';
import type { DecisionReport } from '../../../src/telemetry/ports.ts';
import { loadProtoOracle } from '../../support/proto-oracle.ts';
import { countingLimits, memoryOf, NOW, policyOf, subject } from '../../support/story.ts';

const oracle = loadProtoOracle();
const policy = policyOf(`
version: 1
credentials: { bearer: { type: bearer } }
key_format: { prefix: lk, separator: _, environments: [live], also_accept: [k_] }
routes:
  - { name: read, match: { path: /read }, scopes: [read] }
  - { name: hidden, match: { path: /hidden }, scopes: [read], hide: true }
`);
const captured = readFileSync(new URL('../../fixtures/check-raw.bin', import.meta.url));
const FOREVER = { deadlineMonoMs: Number.POSITIVE_INFINITY };

function request(path: string, key?: string): Buffer {
  const headers = key === undefined ? {} : { authorization: `Bearer ${key}` };
  return oracle.encodeRequest({
    attributes: { request: { http: { id: '7', method: 'GET', path, host: 'a.example', headers } } },
  });
}

function setUp(changes: Partial<RunnerParts> = {}) {
  const reports: DecisionReport[] = [];
  const faults: unknown[] = [];
  const run = createRunner({
    policy: () => policy,
    memory: memoryOf(policy, { k_reader: subject() }),
    limits: countingLimits(),
    resolve: () => Promise.resolve<Fact>({ kind: 'absent' }),
    clock: () => NOW,
    observer: { decided: (report) => reports.push(report) },
    used: () => {},
    newDecisionId: () => 'd-1',
    onFault: (error) => faults.push(error),
    ...changes,
  });
  return { run, reports, faults };
}

/** `allow`, or the denial's HTTP status; every denial must have a non-zero code. */
function read(reply: CheckReply): string | number {
  if (typeof reply === 'string') return reply;
  expect(reply.length).toBeGreaterThan(0);
  const response = oracle.decodeResponse(reply);
  if (response.ok_response !== undefined && response.ok_response !== null) {
    expect(response.status?.code ?? 0).toBe(0);
    return 'allow';
  }
  expect(response.status?.code).toBeGreaterThan(0);
  return (response.denied_response ?? response.error_response)?.status?.code ?? 0;
}

describe('the runner', () => {
  it('answers a hit in memory synchronously', () => {
    const { run, reports } = setUp();
    const reply = run(request('/read', 'k_reader'), FOREVER);
    expect(reply).toBeInstanceOf(Uint8Array);
    expect(read(reply as Uint8Array)).toBe('allow');
    expect(reports).toMatchObject([{ rounds: 1, decision: { kind: 'allow' } }]);
  });

  it('fetches the missing fact and decides with it, whatever memory holds by then', async () => {
    const needs: Need[] = [];
    const known = memoryOf(policy, { k_new: subject() });
    const { run } = setUp({
      resolve: (need) => {
        needs.push(need);
        const credential = known.find('api_key', need.digest, NOW);
        return Promise.resolve<Fact>(
          typeof credential === 'object' ? { kind: 'found', credential } : { kind: 'absent' },
        );
      },
    });
    expect(read(await run(request('/read', 'k_new'), FOREVER))).toBe('allow');
    expect(read(await run(request('/read', 'k_nobody'), FOREVER))).toBe(401);
    expect(needs).toHaveLength(2);
  });

  it.each([
    ['empty', Buffer.alloc(0)],
    ['a truncated capture', captured.subarray(0, 300)],
    ['random bytes', Buffer.from('ffeeddccbbaa99887766554433221100', 'hex')],
    ['no attributes', oracle.encodeRequest({})],
    ['no request', oracle.encodeRequest({ attributes: { source: { principal: 'x' } } })],
    ['no HTTP request', oracle.encodeRequest({ attributes: { request: {} } })],
  ])('denies bytes that are no request, explicitly: %s', async (_name, bytes) => {
    const { run, reports, faults } = setUp();
    expect(read(await run(bytes, FOREVER))).toBe(400);
    expect(reports).toMatchObject([{ decision: { reason: 'check_request_malformed' } }]);
    expect(faults).toEqual([]);
  });

  it('denies what Envoy sent for a path that no rule names', async () => {
    const { run } = setUp();
    expect(read(await run(captured, FOREVER))).toBe(404);
  });

  it.each<[string, Partial<RunnerParts>]>([
    [
      'memory',
      {
        memory: {
          find: () => {
            throw new Error('canary-secret');
          },
        },
      },
    ],
    ['the lookup', { resolve: () => Promise.reject(new Error('canary-secret')) }],
  ])('turns a fault of %s into a 503 that tells nothing', async (_name, parts) => {
    const { run, faults } = setUp(parts);
    const reply = await run(request('/read', 'k_other'), FOREVER);
    expect(read(reply)).toBe(503);
    expect(Buffer.from(reply as Uint8Array).toString('latin1')).not.toContain('canary');
    expect(faults).toHaveLength(1);
  });

  it('answers even when telling about the decision fails', async () => {
    const { run, faults } = setUp({
      observer: {
        decided: () => {
          throw new Error('disk full');
        },
      },
    });
    expect(read(await run(request('/read', 'k_reader'), FOREVER))).toBe('allow');
    expect(faults).toHaveLength(1);
  });

  it('gives up after three rounds when facts do not settle', async () => {
    let rounds = 0;
    const { run } = setUp({
      resolve: () => {
        rounds += 1;
        return Promise.resolve(undefined as unknown as Fact);
      },
    });
    expect(read(await run(request('/read', 'k_other'), FOREVER))).toBe(503);
    expect(rounds).toBe(2);
  });

  it.each([
    ['denied', '/read', 503],
    ['error_response', '/read', 503],
    ['grpc_error', '/read', 'grpc_unavailable'],
    ['grpc_error', '/hidden', 404],
  ] as const)('tells an outage of the store as %s on %s', async (outage, path, expected) => {
    const fact: Fact = { kind: 'unavailable', cause: 'store', retryAfterMs: 1000 };
    const { run } = setUp({
      policy: () => ({ ...policy, outage }),
      resolve: () => Promise.resolve(fact),
    });
    const reply = await run(request(path, 'k_other'), FOREVER);
    expect(read(reply)).toBe(expected);
    if (typeof reply !== 'string') {
      const response = oracle.decodeResponse(reply);
      expect(response.http_response).toBe(
        outage === 'error_response' ? 'error_response' : 'denied_response',
      );
    }
  });

  it('never tells overload as a gRPC error: a client could provoke it', async () => {
    const fact: Fact = { kind: 'unavailable', cause: 'overload', retryAfterMs: 1000 };
    const { run } = setUp({
      policy: () => ({ ...policy, outage: 'grpc_error' }),
      resolve: () => Promise.resolve(fact),
    });
    expect(read(await run(request('/read', 'k_other'), FOREVER))).toBe(503);
  });

  it('keeps to one policy for one request, even if another comes into force meanwhile', async () => {
    let current = policy;
    const known = memoryOf(policy, { k_new: subject() });
    const { run } = setUp({
      policy: () => current,
      resolve: (need) => {
        current = { ...policyOf('version: 1\ncredentials: {}\nroutes: []'), generation: 99 };
        const credential = known.find('api_key', need.digest, NOW);
        return Promise.resolve<Fact>(
          typeof credential === 'object' ? { kind: 'found', credential } : { kind: 'absent' },
        );
      },
    });
    expect(read(await run(request('/read', 'k_new'), FOREVER))).toBe('allow');
    expect(read(await run(request('/read', 'k_new'), FOREVER))).toBe(404);
  });

  it('reports the path without its query, and the client address of denials', () => {
    const { run, reports } = setUp();
    void run(request('/read?api_key=canary-secret'), FOREVER);
    expect(reports).toMatchObject([{ path: '/read', method: 'GET', host: 'a.example' }]);
    expect(JSON.stringify(reports)).not.toContain('canary');
  });

  it('tells which key was let through, and from where', () => {
    const uses: unknown[] = [];
    const { run } = setUp({ used: (...use) => uses.push(use) });
    void run(request('/read', 'k_reader'), FOREVER);
    expect(uses).toEqual([['k0000000001', NOW.wallMs, null]]);
  });
});
