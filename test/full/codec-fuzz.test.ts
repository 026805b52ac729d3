import { expect, it } from 'vitest';
import { createRequestDecoder } from '../../src/envoy/decode-request.ts';
import { createAnswerCases } from '../support/answer-cases.ts';
import { createDecoderCases } from '../support/codec-cases.ts';
import { loadProtoOracle } from '../support/proto-oracle.ts';
import { randomCheckRequest, WANTED } from '../support/random-check-request.ts';
import { rewrite, scramble } from '../support/rewrite-message.ts';
import { seededRandom } from '../unit/limits/random.ts';

/** New seeds every time. A failure names its own; `LATCHKEY_FUZZ_SEED` begins there again. */
const FIRST_SEED = Number(process.env['LATCHKEY_FUZZ_SEED'] ?? Date.now() % 2 ** 31);
const MS_PER_KIND = 60_000;
const CASES_MIN = 20_000;

function forAMinute(one: (seed: number) => unknown): number {
  const endMs = performance.now() + MS_PER_KIND;
  let seed = FIRST_SEED;
  for (; performance.now() < endMs; seed += 1) one(seed);
  return seed - FIRST_SEED;
}

const decoderCases = createDecoderCases();

it.each(['asWritten', 'rewritten', 'damaged', 'scrambled'] as const)(
  'the decoder agrees with proto-loader and with the plain reference: %s',
  (kind) => {
    expect(forAMinute(decoderCases[kind])).toBeGreaterThan(CASES_MIN);
  },
);

it('proto-loader reads every field of what the encoder wrote', () => {
  expect(forAMinute(createAnswerCases())).toBeGreaterThan(CASES_MIN);
});

it('a message cut off anywhere is refused, and any change of its bytes gives a value', () => {
  const oracle = loadProtoOracle();
  const decode = createRequestDecoder(WANTED);
  const messages = forAMinute((seed) => {
    const random = seededRandom(seed);
    const bytes = oracle.encodeRequest(randomCheckRequest(random));
    for (let length = 0; length < bytes.length; length += 1) {
      const { kind } = decode(bytes.subarray(0, length));
      if (kind !== 'malformed') throw new Error(`seed ${seed}, cut at ${length}: ${kind}`);
    }
    const rewritten = rewrite(bytes, random);
    for (let round = 0; round < 20; round += 1) decode(scramble(rewritten, random));
  });
  expect(messages).toBeGreaterThan(CASES_MIN / 20);
});
