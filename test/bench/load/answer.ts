import type { TrafficSpec } from './traffic.ts';

/**
 * What became of a request. `refused`: an answer of the server that is no allow; `broken`: no answer at all, or one that is
 * none (a stream that was reset, another gRPC status than 0, an HTTP status of 5xx).
 */
export type Verdict = 'allowed' | 'refused' | 'broken';

/** What was seen of an answer so far. */
export interface AnswerDraft {
  httpStatus: number;
  /** −1: not yet. */
  grpcStatus: number;
  body: Buffer | undefined;
}

export function verdictOf(kind: TrafficSpec['kind'], answer: AnswerDraft): Verdict {
  const { httpStatus, grpcStatus, body } = answer;
  if (kind === 'http') {
    if (httpStatus === 200) return 'allowed';
    return httpStatus >= 400 && httpStatus < 500 ? 'refused' : 'broken';
  }
  if (httpStatus !== 200 || grpcStatus !== 0 || body === undefined) return 'broken';
  return decisionIn(body);
}

/** Of a gRPC message: one byte that says whether it is compressed, four of length. */
const PREFIX_BYTES = 5;
const LENGTH_DELIMITED = 2;

/** CheckResponse: status 1, denied_response 2, ok_response 3, error_response 5. Each of its fields is a message. */
function decisionIn(body: Buffer): Verdict {
  if (body.length < PREFIX_BYTES || body.length !== PREFIX_BYTES + body.readUInt32BE(1)) {
    return 'broken';
  }
  let isAllowed = false;
  let at = PREFIX_BYTES;
  while (at < body.length) {
    const tag = body[at] ?? 0;
    const number = tag >>> 3;
    if ((tag & 7) !== LENGTH_DELIMITED) return 'broken';
    let length = 0;
    at += 1;
    for (let shift = 0; ; shift += 7) {
      const byte = body[at] ?? 0;
      at += 1;
      length |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    // google.rpc.Status: a code other than 0 (OK, which is not written) is a denial.
    if (number === 1 && length > 0 && body[at] === 0x08 && body[at + 1] !== 0) return 'refused';
    if (number === 2 || number === 5) return 'refused';
    if (number === 3) isAllowed = true;
    at += length;
  }
  return at === body.length && isAllowed ? 'allowed' : 'broken';
}
