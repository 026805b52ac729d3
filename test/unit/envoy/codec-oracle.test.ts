import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRequestDecoder } from '../../../src/envoy/decode-request.ts';
import type { DecodedRequest } from '../../../src/model/request.ts';
import { createAnswerCases } from '../../support/answer-cases.ts';
import { createDecoderCases } from '../../support/codec-cases.ts';
import { loadProtoOracle } from '../../support/proto-oracle.ts';

/** Seeds are fixed, so that a run says the same everywhere; new ones every time are test/full's matter. */
const AS_WRITTEN = 70_000;
const REWRITTEN = 15_000;
const DAMAGED = 10_000;
const SCRAMBLED = 25_000;
const ANSWERS = 20_000;

/** For a machine that is busy; alone on a core all of it takes about fifteen seconds. */
const TIMEOUT_MS = 180_000;

const oracle = loadProtoOracle();

/** How often each outcome came up. */
function outcomes(count: number, decodeCase: (seed: number) => DecodedRequest) {
  const seen = new Map<string, number>();
  for (let seed = 1; seed <= count; seed += 1) {
    const decoded = decodeCase(seed);
    const outcome = decoded.kind === 'request' ? 'request' : decoded.cause;
    seen.set(outcome, (seen.get(outcome) ?? 0) + 1);
  }
  return seen;
}

it('proto/ describes the method that Envoy calls', () => {
  expect(oracle.path).toBe('/envoy.service.auth.v3.Authorization/Check');
});

describe('the decoder reads what proto-loader reads', { timeout: TIMEOUT_MS }, () => {
  const cases = createDecoderCases();

  it('as proto-loader wrote it', () => {
    const seen = outcomes(AS_WRITTEN, cases.asWritten);
    expect(seen.get('request')).toBeGreaterThan(AS_WRITTEN / 2);
  });

  it('written in another way: order, pieces, overridden values, strange fields, long varints', () => {
    const seen = outcomes(REWRITTEN, cases.rewritten);
    expect(seen.get('request')).toBeGreaterThan(REWRITTEN / 2);
  });

  it('with damaged fields, as far as it can be read at all', () => {
    const seen = outcomes(DAMAGED, cases.damaged);
    expect(seen.get('request')).toBeGreaterThan(DAMAGED / 5);
    expect(seen.get('wrong_wire_type')).toBeGreaterThan(DAMAGED / 10);
    expect(seen.get('truncated')).toBeGreaterThan(DAMAGED / 20);
  });

  it('with bytes changed at random, as far as it can be read at all', () => {
    const seen = outcomes(SCRAMBLED, cases.scrambled);
    expect(seen.get('request')).toBeGreaterThan(SCRAMBLED / 20);
    expect(seen.get('truncated')).toBeGreaterThan(SCRAMBLED / 5);
  });

  it('header by header, shrinking what differs', () => {
    const name = fc.constantFrom('a', 'b-c', 'b-d', ':path', 'user-agent');
    const lines = fc.array(fc.tuple(name, fc.uint8Array({ maxLength: 20 })), { maxLength: 8 });
    const decode = createRequestDecoder(['a', 'b-d']);
    const check = (sent: [string, Uint8Array][]) => {
      const headers = sent.map(([key, value]) => ({ key, raw_value: Buffer.from(value) }));
      const http = { method: 'GET', path: '/', header_map: { headers } };
      const decoded = decode(oracle.encodeRequest({ attributes: { request: { http } } }));
      const got = decoded.kind === 'request' ? decoded.input.headers : [];
      const expected = ['a', 'b-d'].map((wanted) =>
        sent.flatMap(([key, value]) =>
          key === wanted ? [Buffer.from(value).toString('latin1')] : [],
        ),
      );
      expect(got.map((slot) => (slot === undefined ? [] : [slot].flat()))).toStrictEqual(expected);
    };
    fc.assert(fc.property(lines, check), { numRuns: 500 });
  });
});

describe('proto-loader reads what the encoder wrote', { timeout: TIMEOUT_MS }, () => {
  it('every field of any answer', () => {
    const answerCase = createAnswerCases();
    let allows = 0;
    for (let seed = 1; seed <= ANSWERS; seed += 1) {
      if (answerCase(seed).kind === 'ok') allows += 1;
    }
    expect(allows).toBeGreaterThan(ANSWERS / 3);
    expect(allows).toBeLessThan((2 * ANSWERS) / 3);
  });
});
