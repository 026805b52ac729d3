import { encodeAnswer } from '../../src/envoy/encode-answer.ts';
import type { Answer, HeaderLine, MetadataField } from '../../src/model/answer.ts';
import { loadProtoOracle, type OracleHeaderOption, type OracleResponse } from './proto-oracle.ts';
import { type Random, seededRandom } from './random.ts';
import { randomText } from './random-check-request.ts';
import { wholeAllow, wholeMetadata } from './whole-answer.ts';

/** What Envoy reads from an answer, without the parts that protobuf fills in by itself. */
export interface PlainResponse {
  readonly code: number | undefined;
  readonly kind: string | undefined;
  readonly httpStatus: number | undefined;
  readonly body: string | undefined;
  /** Name and value, and whether the header overwrites by both ways of saying so. */
  readonly headers: readonly PlainHeader[];
  readonly headersToRemove: readonly string[];
  readonly responseHeaders: readonly PlainHeader[];
  readonly queryParametersToRemove: readonly string[];
  readonly metadata: readonly (readonly [string, string])[] | undefined;
}

type PlainHeader = readonly [name: string, value: string, overwrites: boolean];

/** Per seed: a random answer, written by ours, read by proto-loader. Throws with the seed if it says something else. */
export function createAnswerCases(): (seed: number) => Answer {
  const read = createResponseReader();
  return (seed) => {
    const answer = randomAnswer(seededRandom(seed));
    // The second time the headers of the principal come from what the first time has kept.
    for (const time of ['first', 'second']) {
      const bytes = encodeAnswer(answer);
      const [left, right] = [JSON.stringify(read(bytes)), JSON.stringify(expectedOf(answer))];
      if (left !== right) {
        const hex = Buffer.from(bytes).toString('hex');
        throw new Error(
          `seed ${seed}, ${time} time\nread     ${left}\nexpected ${right}\nbytes    ${hex}`,
        );
      }
    }
    return answer;
  };
}

export function createResponseReader(): (bytes: Uint8Array) => PlainResponse {
  const oracle = loadProtoOracle();
  return (bytes) => plainOf(oracle.decodeResponse(bytes));
}

function plainOf(response: OracleResponse): PlainResponse {
  const denied = response.denied_response ?? response.error_response;
  const ok = response.ok_response;
  const fields = response.dynamic_metadata?.fields;
  return {
    code: response.status?.code,
    kind: response.http_response,
    httpStatus: denied?.status?.code,
    body: denied?.body,
    headers: (denied ?? ok)?.headers.map(plainHeader) ?? [],
    headersToRemove: ok?.headers_to_remove ?? [],
    responseHeaders: ok?.response_headers_to_add.map(plainHeader) ?? [],
    queryParametersToRemove: ok?.query_parameters_to_remove ?? [],
    metadata:
      fields &&
      sorted(
        Object.entries(fields).map(([name, { stringValue }]) => [name, stringValue ?? 'no string']),
      ),
  };
}

function plainHeader(option: OracleHeaderOption): PlainHeader {
  const overwrites = option.append?.value === false && option.append_action === 2;
  return [option.header.key, option.header.value, overwrites];
}

/** The contract of `Answer`, said again in plain terms. */
function expectedOf(answer: Answer): PlainResponse {
  const fields = wholeMetadata(answer);
  const metadata =
    fields.length === 0
      ? undefined
      : sorted([...new Map(fields.map(([name, value]) => [utf8(name), utf8(value)]))]);
  if (answer.kind === 'ok') {
    const whole = wholeAllow(answer);
    return {
      code: 0,
      kind: 'ok_response',
      httpStatus: undefined,
      body: undefined,
      headers: whole.requestHeaders.map(expectedHeader),
      headersToRemove: whole.removeRequestHeaders.map(printable),
      responseHeaders: answer.responseHeaders.map(expectedHeader),
      queryParametersToRemove: answer.removeQueryParameters.map(utf8),
      metadata,
    };
  }
  const { code, httpStatus } = answer;
  return {
    code: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16].includes(code) ? code : 13,
    kind: answer.asError ? 'error_response' : 'denied_response',
    httpStatus: /^[345]\d\d$/.test(String(httpStatus)) ? httpStatus : 503,
    body: utf8(answer.body),
    headers: answer.headers.map(expectedHeader),
    headersToRemove: [],
    responseHeaders: [],
    queryParametersToRemove: [],
    metadata,
  };
}

const expectedHeader = ({ name, value }: HeaderLine): PlainHeader => [
  printable(name),
  printable(value),
  true,
];

function printable(text: string): string {
  return text.replace(/[^ -~]/g, '?');
}

function utf8(text: string): string {
  return Buffer.from(text, 'utf8').toString('utf8');
}

function sorted(entries: (readonly [string, string])[]): (readonly [string, string])[] {
  return entries.toSorted(([left], [right]) => (left < right ? -1 : 1));
}

function randomAnswer(random: Random): Answer {
  const metadata = list(
    random,
    (): MetadataField => [randomAnything(random), randomAnything(random)],
  );
  if (random.below(2) === 0) {
    return {
      kind: 'ok',
      standing: {
        requestHeaders: list(random, () => randomLine(random)),
        removeRequestHeaders: list(random, () => randomAnything(random)),
        metadata: list(random, () => [randomAnything(random), randomAnything(random)]),
        encoded: undefined,
      },
      requestHeaders: list(random, () => randomLine(random)),
      removeRequestHeaders: list(random, () => randomAnything(random)),
      removeQueryParameters: list(random, () => randomAnything(random)),
      responseHeaders: list(random, () => randomLine(random)),
      metadata,
    };
  }
  return {
    kind: 'denied',
    code: random.pick([1, 5, 7, 8, 13, 14, 16, 0, -1, 17, 1.5, Number.NaN, 2 ** 32, 2 ** 53]),
    httpStatus: random.pick([
      300,
      401,
      403,
      429,
      503,
      599,
      0,
      200,
      299,
      600,
      -401,
      401.5,
      2 ** 32 + 200,
    ]),
    headers: list(random, () => randomLine(random)),
    body: randomAnything(random).repeat(random.below(4)),
    metadata,
    asError: random.below(2) === 0,
  };
}

function randomLine(random: Random): HeaderLine {
  return { name: randomAnything(random), value: randomAnything(random) };
}

/** Also text that is no text: half a surrogate pair. */
function randomAnything(random: Random): string {
  return random.below(30) === 0 ? `a\ud800${randomText(random)}` : randomText(random);
}

function list<Item>(random: Random, item: () => Item): Item[] {
  return Array.from({ length: random.pick([0, 0, 1, 2, 3, 5]) }, item);
}
