import { describe, expect, it } from 'vitest';
import { createRequestDecoder } from '../../src/envoy/decode-request.ts';
import { createAnswerCases } from '../support/answer-cases.ts';
import { createDecoderCases } from '../support/codec-cases.ts';
import { loadProtoOracle } from '../support/proto-oracle.ts';
import { seededRandom } from '../support/random.ts';
import { randomCheckRequest, WANTED } from '../support/random-check-request.ts';
import { rewrite, scramble } from '../support/rewrite-message.ts';

/*
 * The codec against the general decoder and the plain reference, for longer than the unit tests and from seeds that those do not
 * reach. The same seeds every time, so that a change is judged by itself and not by its luck; for new ones see CONTRIBUTING.md.
 */

/** `random`, or the first seed. A failure names the seed of its case; a run that begins with it fails at once. */
const SEED = process.env['LATCHKEY_TEST_FUZZ_SEED'] ?? '1000000';
const FIRST_SEED = SEED === 'random' ? Date.now() % 2 ** 31 : Number(SEED);

/** So long for each kind of case, instead of the number of cases that stands with it and takes about 20 seconds. */
const MINUTES = Number(process.env['LATCHKEY_TEST_FUZZ_MINUTES'] ?? 0);

if (!Number.isSafeInteger(FIRST_SEED) || !(MINUTES >= 0)) {
  throw new Error('LATCHKEY_TEST_FUZZ_SEED is a whole number or random, …_MINUTES a number.');
}

const TIMEOUT_MS = 300_000 + MINUTES * 60_000;

function fuzz(cases: number, one: (seed: number) => unknown): void {
  const endMs = performance.now() + MINUTES * 60_000;
  const isOver = (seed: number): boolean =>
    MINUTES > 0 ? performance.now() > endMs : seed >= FIRST_SEED + cases;
  for (let seed = FIRST_SEED; !isOver(seed); seed += 1) one(seed);
}

const decoderCases = createDecoderCases();

describe(`from seed ${FIRST_SEED}`, { timeout: TIMEOUT_MS }, () => {
  it.each([
    ['asWritten', 300_000],
    ['rewritten', 120_000],
    ['damaged', 120_000],
    ['scrambled', 300_000],
  ] as const)(
    'the decoder agrees with proto-loader and with the plain reference: %s',
    (kind, cases) => {
      expect(() => fuzz(cases, decoderCases[kind])).not.toThrow();
    },
  );

  it('proto-loader reads every field of what the encoder wrote', () => {
    expect(() => fuzz(200_000, createAnswerCases())).not.toThrow();
  });

  it('a message cut off anywhere is refused, and any change of its bytes gives a value', () => {
    const oracle = loadProtoOracle();
    const decode = createRequestDecoder(WANTED);
    const cutAndChange = (seed: number): void => {
      const random = seededRandom(seed);
      const bytes = oracle.encodeRequest(randomCheckRequest(random));
      for (let length = 0; length < bytes.length; length += 1) {
        const { kind } = decode(bytes.subarray(0, length));
        if (kind !== 'malformed') throw new Error(`seed ${seed}, cut at ${length}: ${kind}`);
      }
      const rewritten = rewrite(bytes, random);
      for (let round = 0; round < 20; round += 1) decode(scramble(rewritten, random));
    };
    expect(() => fuzz(60_000, cutAndChange)).not.toThrow();
  });
});
