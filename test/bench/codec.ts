/**
 * `node test/bench/codec.ts`: microseconds per message for our codec and for proto-loader's objects, in one run on the same
 * messages. The ratio is what to look at: the absolute times are the machine's.
 */

import { readFileSync } from 'node:fs';
import { createRequestDecoder } from '../../src/envoy/decode-request.ts';
import { encodeAnswer } from '../../src/envoy/encode-answer.ts';
import type { Answer, DeniedAnswer, HeaderLine, OkAnswer } from '../../src/model/answer.ts';
import { SLOT_NAMES } from '../../src/model/request.ts';
import { loadProtoOracle } from '../support/proto-oracle.ts';
import { wholeAllow, wholeMetadata } from '../support/whole-answer.ts';

const ROUNDS = 7;
const ROUND_MS = 300;

const oracle = loadProtoOracle();

for (const name of ['check-map', 'check-raw']) {
  const bytes = readFileSync(new URL(`../fixtures/${name}.bin`, import.meta.url));
  const decode = createRequestDecoder([...SLOT_NAMES, 'x-api-key']);
  compare(
    `decode ${name} (${bytes.length} bytes)`,
    () => decode(bytes),
    () => oracle.decodeRequest(bytes),
  );
}

for (const [name, answer] of [
  ['allow', typicalAllow()],
  ['denial', typicalDenial()],
] as const) {
  const bytes = encodeAnswer(answer);
  const response = responseOf(answer);
  compare(
    `encode ${name} (${bytes.length} bytes)`,
    () => encodeAnswer(answer),
    () => oracle.encodeResponse(response),
  );
}

/** The best round of each: the others were disturbed. Rounds alternate, so that both see the same machine. */
function compare(title: string, ours: () => unknown, theirs: () => unknown): void {
  let [oursUs, theirsUs] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (let round = 0; round < ROUNDS; round += 1) {
    oursUs = Math.min(oursUs, microsecondsEach(ours));
    theirsUs = Math.min(theirsUs, microsecondsEach(theirs));
  }
  const ratio = (theirsUs / oursUs).toFixed(1);
  console.log(
    `${title.padEnd(30)} ours ${oursUs.toFixed(2)} µs · proto-loader ${theirsUs.toFixed(2)} µs · ${ratio} ×`,
  );
}

function microsecondsEach(work: () => unknown): number {
  const startedMs = performance.now();
  let count = 0;
  let elapsedMs = 0;
  while (elapsedMs < ROUND_MS) {
    for (let left = 1000; left > 0; left -= 1) work();
    count += 1000;
    elapsedMs = performance.now() - startedMs;
  }
  return (elapsedMs * 1000) / count;
}

function typicalAllow(): OkAnswer {
  return {
    kind: 'ok',
    standing: {
      requestHeaders: [
        { name: 'x-principal-scopes', value: 'admin read write' },
        { name: 'x-principal-plan', value: 'developer' },
        { name: 'x-auth-method', value: 'api_key' },
      ],
      removeRequestHeaders: ['ratelimit', 'ratelimit-policy'],
      metadata: [['plan', 'developer']],
      encoded: undefined,
    },
    requestHeaders: [
      { name: 'x-principal-id', value: 'usr_01hzy3k9qv4t' },
      { name: 'x-principal-organization', value: 'org_01hzy3k9qv4t' },
      { name: 'x-credential-id', value: '0123456789' },
    ],
    removeRequestHeaders: ['authorization', 'x-api-key'],
    removeQueryParameters: [],
    responseHeaders: [
      { name: 'x-ratelimit-limit', value: '500' },
      { name: 'x-ratelimit-remaining', value: '499' },
      { name: 'x-ratelimit-reset', value: '1795380200' },
      { name: 'ratelimit-policy', value: '"minute";q=500;w=60' },
      { name: 'ratelimit', value: '"minute";r=499;t=1' },
    ],
    metadata: [
      ['decision_id', '5a4c2f1e77f14a0d'],
      ['reason', 'allowed'],
      ['principal', 'usr_01hzy3k9qv4t'],
      ['key_id', '0123456789'],
      ['organization', 'org_01hzy3k9qv4t'],
      ['rule', 'scans-read'],
    ],
  };
}

function typicalDenial(): DeniedAnswer {
  return {
    kind: 'denied',
    code: 16,
    httpStatus: 401,
    headers: [
      { name: 'content-type', value: 'application/problem+json' },
      { name: 'cache-control', value: 'no-store' },
      { name: 'www-authenticate', value: 'Bearer realm="example", error="invalid_token"' },
    ],
    body: JSON.stringify({
      type: 'about:blank',
      title: 'Invalid credential',
      status: 401,
      detail: 'The credential is not valid.',
      code: 'invalid_credential',
      decision_id: '5a4c2f1e77f14a0d',
    }),
    metadata: [
      ['decision_id', '5a4c2f1e77f14a0d'],
      ['reason', 'key_unknown'],
      ['rule', 'scans-read'],
    ],
    asError: false,
  };
}

/** The same answer as an object for proto-loader. */
function responseOf(answer: Answer): object {
  const options = (lines: readonly HeaderLine[]) =>
    lines.map(({ name, value }) => ({
      header: { key: name, value },
      append: { value: false },
      append_action: 2,
    }));
  const fields = Object.fromEntries(
    wholeMetadata(answer).map(([name, text]) => [name, { stringValue: text }]),
  );
  const metadata = { dynamic_metadata: { fields } };
  if (answer.kind === 'denied') {
    const denied = {
      status: { code: answer.httpStatus },
      headers: options(answer.headers),
      body: answer.body,
    };
    return { status: { code: answer.code }, denied_response: denied, ...metadata };
  }
  const whole = wholeAllow(answer);
  return {
    status: { code: 0 },
    ok_response: {
      headers: options(whole.requestHeaders),
      headers_to_remove: whole.removeRequestHeaders,
      response_headers_to_add: options(answer.responseHeaders),
    },
    ...metadata,
  };
}
