import { describe, expect, it } from 'vitest';
import { type AnswerDraft, verdictOf } from '../../bench/load/answer.ts';
import { loadProtoOracle } from '../../support/proto-oracle.ts';

const oracle = loadProtoOracle();

function body(response: object): Buffer {
  const message = oracle.encodeResponse(response);
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

const metadata = { dynamic_metadata: { fields: { reason: { stringValue: 'x'.repeat(200) } } } };
const ALLOW = body({
  status: { code: 0 },
  ok_response: { headers: [{ header: { key: 'x-principal-id', value: 'usr_1' } }] },
  ...metadata,
});
const DENIAL = body({
  status: { code: 16 },
  denied_response: { status: { code: 401 }, body: 'no' },
  ...metadata,
});

const answer = (changes: Partial<AnswerDraft>): AnswerDraft => ({
  ...{ httpStatus: 200, grpcStatus: 0, body: ALLOW },
  ...changes,
});

describe('the verdict on a check', () => {
  it.each<[string, Partial<AnswerDraft>, string]>([
    ['an allow', {}, 'allowed'],
    ['the least allow', { body: body({ status: { code: 0 }, ok_response: {} }) }, 'allowed'],
    ['a denial', { body: DENIAL }, 'refused'],
    ['a status alone', { body: body({ status: { code: 7 } }) }, 'refused'],
    ['a denial that names no status', { body: body({ denied_response: {} }) }, 'refused'],
    ['an answer that says nothing', { body: body({}) }, 'broken'],
    ['a body that ends early', { body: ALLOW.subarray(0, ALLOW.length - 1) }, 'broken'],
    ['no body', { body: undefined }, 'broken'],
    ['another gRPC status', { grpcStatus: 14 }, 'broken'],
    ['no gRPC status', { grpcStatus: -1 }, 'broken'],
    ['another HTTP status', { httpStatus: 503 }, 'broken'],
  ])('%s', (_what, changes, verdict) => {
    expect(verdictOf('check', answer(changes))).toBe(verdict);
  });
});

describe('the verdict on a request through Envoy', () => {
  it.each([
    [200, 'allowed'],
    [401, 'refused'],
    [429, 'refused'],
    [503, 'broken'],
    [0, 'broken'],
  ])('status %i', (httpStatus, verdict) => {
    expect(verdictOf('http', answer({ httpStatus, body: undefined }))).toBe(verdict);
  });
});
