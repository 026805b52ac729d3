import { denialRow } from '../model/denials.ts';
import { encodeAnswer } from './encode-answer.ts';

/**
 * The bytes of a denial for whoever must answer where no decision was made: a transport whose handler failed. Depends
 * on no policy, so that nothing is left that could fail.
 */
export function fallbackReply(): Uint8Array {
  const row = denialRow('internal_error');
  return encodeAnswer({
    kind: 'denied',
    code: row.grpcCode,
    httpStatus: row.httpStatus,
    headers: [
      { name: 'content-type', value: 'application/problem+json' },
      { name: 'cache-control', value: 'no-store' },
      { name: 'retry-after', value: '1' },
    ],
    body: JSON.stringify({
      type: 'about:blank',
      title: row.title,
      status: row.httpStatus,
      detail: row.text,
      code: row.code,
    }),
    metadata: [['reason', 'internal_error']],
    asError: false,
  });
}
