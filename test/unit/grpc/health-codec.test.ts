import { fileURLToPath } from 'node:url';
import type { MethodDefinition } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeHealthRequest,
  encodeHealthResponse,
  SERVING_STATUS,
} from '../../../src/grpc/health-codec.ts';

const PROTO = fileURLToPath(new URL('../../../proto/grpc/health/v1/health.proto', import.meta.url));

/** The oracle. proto-loader types a package as services, messages and enums alike; the name says which this is. */
const check = (
  loadSync(PROTO, { enums: String })['grpc.health.v1.Health'] as unknown as {
    Check: MethodDefinition<{ service: string }, { status: string }>;
  }
).Check;

describe('the codec of grpc.health.v1', () => {
  it('reads every service that proto-loader writes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (service) => {
        expect(decodeHealthRequest(check.requestSerialize({ service }))).toBe(service);
      }),
      { numRuns: 1000 },
    );
  });

  it.each([
    [SERVING_STATUS.serving, 'SERVING'],
    [SERVING_STATUS.notServing, 'NOT_SERVING'],
    [SERVING_STATUS.serviceUnknown, 'SERVICE_UNKNOWN'],
  ])('writes status %d as proto-loader reads %s', (status, name) => {
    expect(check.responseDeserialize(encodeHealthResponse(status))).toMatchObject({ status: name });
  });

  it.each([
    ['nothing', '', ''],
    ['an unknown varint before it', '1896010a0161', 'a'],
    [
      'an unknown fixed64, fixed32 and string before it',
      '190000000000000000250000000012010a0a0161',
      'a',
    ],
    ['the service twice: the last one counts', '0a01610a0162', 'b'],
    ['an empty service after another', '0a01610a00', ''],
    ['a byte order mark, which is part of the name', '0a03efbbbf', '\u{feff}'],
  ])('skips what it does not know: %s', (_, hex, expected) => {
    const bytes = Buffer.from(hex, 'hex');
    expect(decodeHealthRequest(bytes)).toBe(expected);
    expect(check.requestDeserialize(bytes).service ?? '').toBe(expected);
  });

  it.each([
    ['a tag without a value', '0a'],
    ['a length beyond the end', '0a0561'],
    ['a length of 2^63', '0affffffffffffffff7f'],
    ['a varint of eleven bytes', `18${'80'.repeat(10)}01`],
    ['field number 0', '0000'],
    ['a group', '0b0c'],
    ['wire type 7', '0f'],
    ['a fixed64 cut short', '19000000'],
    ['a name that is not UTF-8', '0a02c328'],
    ['more than a name can be', `0a8010${'61'.repeat(2048)}`],
  ])('refuses %s', (_, hex) => {
    expect(decodeHealthRequest(Buffer.from(hex, 'hex'))).toBeUndefined();
  });

  it('ends with a name or a refusal for any bytes at all', () => {
    const plausible = fc.oneof(
      fc
        .constantFrom('0a', '0b', '18', '19', '25', 'ff', '7f', '00', '0161', '0a0161')
        .map((hex) => Buffer.from(hex, 'hex')),
      fc.uint8Array({ maxLength: 5 }),
    );
    fc.assert(
      fc.property(fc.array(plausible, { maxLength: 20 }), (parts) => {
        expect(['string', 'undefined']).toContain(typeof decodeHealthRequest(Buffer.concat(parts)));
      }),
      { numRuns: 5000 },
    );
  });
});
