import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRequestDecoder } from '../../../src/envoy/decode-request.ts';
import type { MalformedCause } from '../../../src/model/request.ts';
import { WANTED } from '../../support/random-check-request.ts';
import { referenceDecode } from '../../support/reference-decoder.ts';
import {
  group,
  message,
  text,
  varint,
  type WireNode,
  type WireTree,
  writeTree,
} from '../../support/wire-tree.ts';

const decode = createRequestDecoder(WANTED);
const BYTES_MAX = 1024 * 1024;
const METHOD_AND_PATH = [text(2, 'GET'), text(4, '/')];

/** A request that can be decided on, with something else beside its attributes. */
const beside = (...nodes: WireTree) =>
  writeTree([message(1, message(4, message(2, ...METHOD_AND_PATH))), ...nodes]);
const inHttp = (...nodes: WireTree) =>
  writeTree([message(1, message(4, message(2, ...METHOD_AND_PATH, ...nodes)))]);
const inAttributes = (...nodes: WireTree) =>
  writeTree([message(1, message(4, message(2, ...METHOD_AND_PATH)), ...nodes)]);

const causeOf = (bytes: Uint8Array): MalformedCause | 'none' => {
  const decoded = decode(bytes);
  return decoded.kind === 'malformed' ? decoded.cause : 'none';
};

describe('a message without what a decision needs is refused', () => {
  it.each<[string, Uint8Array]>([
    ['no bytes', new Uint8Array()],
    ['no attributes', writeTree([text(2, 'x')])],
    ['empty attributes', writeTree([message(1)])],
    ['no request', writeTree([message(1, message(1))])],
    ['no http', writeTree([message(1, message(4, message(1, varint(1, 1n))))])],
    ['empty http', writeTree([message(1, message(4, message(2)))])],
    ['no method', writeTree([message(1, message(4, message(2, text(4, '/'))))])],
    ['an empty method', inHttp(text(2, ''))],
    ['no path, as in CONNECT', writeTree([message(1, message(4, message(2, text(2, 'CONNECT'))))])],
    ['an empty path', inHttp(text(4, ''))],
  ])('%s', (_, bytes) => {
    expect(causeOf(bytes)).toBe('attributes_missing');
  });
});

describe('a message that was cut off is refused, wherever the cut is', () => {
  it.each(['check-map', 'check-raw'])('%s', (name) => {
    const whole = readFileSync(new URL(`../../fixtures/${name}.bin`, import.meta.url));
    expect(causeOf(whole)).toBe('none');
    expect(causeOf(whole.subarray(0, 0))).toBe('attributes_missing');
    for (let length = 1; length < whole.length; length += 1) {
      expect(causeOf(whole.subarray(0, length)), `${length} bytes`).toBe('truncated');
    }
  });

  it.each<[string, readonly number[]]>([
    ['in a varint', [0x18, 0xff]],
    ['in a fixed64', [0x19, 1, 2, 3, 4, 5, 6, 7]],
    ['in a fixed32', [0x1d, 1, 2, 3]],
    ['in a string', [0x1a, 5, 1, 2, 3, 4]],
    ['in a group', [0x1b, 0x08, 0x01]],
    ['in a tag', [0x80]],
    ['in a length', [0x1a, 0x80]],
    ['in a length of 2^32 + 1', [0x1a, 0x81, 0x80, 0x80, 0x80, 0x10, 1]],
    ['in a length of -1', [0x1a, ...Array<number>(9).fill(0xff), 0x01]],
  ])('%s', (_, tail) => {
    expect(causeOf(Buffer.from([...beside(), ...tail]))).toBe('truncated');
    expect(causeOf(inHttp({ number: 9, wireType: 2, value: Buffer.from(tail) }))).toBe('none');
    const header = message(3, text(1, 'cookie'));
    header.value = Buffer.from([...writeTree([text(1, 'cookie')]), ...tail]);
    expect(causeOf(inHttp(header)), 'a header line ends where its length says').toBe('truncated');
  });
});

describe('no number of bytes, fields, lines or levels is read without a bound', () => {
  it('1 MiB is read, one byte more is not', () => {
    const padding = (length: number) => text(15, ' '.repeat(length));
    const fit = beside(
      padding(BYTES_MAX - beside(padding(BYTES_MAX - 100)).length + BYTES_MAX - 100),
    );
    expect(fit.length).toBe(BYTES_MAX);
    expect(causeOf(fit)).toBe('none');
    expect(causeOf(Buffer.concat([fit, Buffer.alloc(1)]))).toBe('oversized');
    expect(causeOf(new Uint8Array(4 * BYTES_MAX + 1))).toBe('oversized');
  });

  it('4096 header lines are read, one more is not', () => {
    const lines = (count: number) => Array.from({ length: count }, () => message(3));
    expect(causeOf(inHttp(...lines(4096)))).toBe('none');
    expect(causeOf(inHttp(...lines(4097)))).toBe('too_many_fields');
    const list = message(13, ...Array.from({ length: 4096 }, () => message(1)));
    expect(causeOf(inHttp(list))).toBe('none');
    expect(causeOf(inHttp(list, message(3))), 'map and list count together').toBe(
      'too_many_fields',
    );
  });

  it('24576 fields are looked at, one more is not', () => {
    const used = 5;
    const strangers = (count: number) => Array.from({ length: count }, () => varint(15, 0n));
    expect(causeOf(beside(...strangers(24_576 - used)))).toBe('none');
    expect(causeOf(beside(...strangers(24_577 - used)))).toBe('too_many_fields');
    expect(causeOf(inHttp(group(15, ...strangers(24_576))))).toBe('too_many_fields');
  });

  it('groups nest a hundred deep, and a hundred thousand deep do no harm', () => {
    const nested = (depth: number): Buffer =>
      Buffer.concat([beside(), Buffer.alloc(depth, 0x7b), Buffer.alloc(depth, 0x7c)]);
    expect(causeOf(nested(1))).toBe('none');
    expect(causeOf(nested(100))).toBe('none');
    expect(causeOf(nested(101))).toBe('nested_too_deep');
    expect(causeOf(nested(100_000))).toBe('nested_too_deep');
  });

  it('messages nested a hundred thousand deep in a field that is not read are passed over', () => {
    const lengths: number[] = [];
    for (let length = 0, depth = 0; depth < 100_000; depth += 1) {
      const tagAndLength = [0x5a, ...writeTree([varint(1, BigInt(length))]).subarray(1)];
      lengths.push(...tagAndLength.reverse());
      length += tagAndLength.length;
    }
    const deep = Buffer.from(lengths.reverse());
    expect(causeOf(inAttributes({ number: 11, wireType: 2, value: deep }))).toBe('none');
  });
});

describe('a field that is read must have its own wire type', () => {
  const STRING_FIELDS: [string, (node: WireNode) => Buffer, number][] = [
    ['CheckRequest.attributes', beside, 1],
    ['AttributeContext.source', inAttributes, 1],
    ['AttributeContext.request', inAttributes, 4],
    ['AttributeContext.context_extensions', inAttributes, 10],
    ['a key of context_extensions', (node) => inAttributes(message(10, node)), 1],
    ['a value of context_extensions', (node) => inAttributes(message(10, node)), 2],
    ['Peer.address', (node) => inAttributes(message(1, node)), 1],
    ['Address.socket_address', (node) => inAttributes(message(1, message(1, node))), 1],
    ['Address.pipe', (node) => inAttributes(message(1, message(1, node))), 2],
    ['Address.envoy_internal_address', (node) => inAttributes(message(1, message(1, node))), 3],
    ['SocketAddress.address', (node) => inAttributes(message(1, message(1, message(1, node)))), 2],
    ['Request.time', (node) => inAttributes(message(4, node)), 1],
    ['Request.http', (node) => inAttributes(message(4, node)), 2],
    ['HttpRequest.id', inHttp, 1],
    ['HttpRequest.method', inHttp, 2],
    ['HttpRequest.headers', inHttp, 3],
    ['HttpRequest.path', inHttp, 4],
    ['HttpRequest.host', inHttp, 5],
    ['HttpRequest.scheme', inHttp, 6],
    ['HttpRequest.header_map', inHttp, 13],
    ['a key of headers', (node) => inHttp(message(3, node)), 1],
    ['a value of headers', (node) => inHttp(message(3, node)), 2],
    ['HeaderMap.headers', (node) => inHttp(message(13, node)), 1],
    ['HeaderValue.key', (node) => inHttp(message(13, message(1, node))), 1],
    ['HeaderValue.value', (node) => inHttp(message(13, message(1, node))), 2],
    ['HeaderValue.raw_value', (node) => inHttp(message(13, message(1, node))), 3],
  ];

  it.each(STRING_FIELDS)('%s', (_, around, number) => {
    expect(causeOf(around(text(number, '')))).not.toBe('wrong_wire_type');
    expect(causeOf(around(varint(number, 0n)))).toBe('wrong_wire_type');
    expect(causeOf(around({ number, wireType: 1, value: Buffer.alloc(8) }))).toBe(
      'wrong_wire_type',
    );
    expect(causeOf(around(group(number)))).toBe('wrong_wire_type');
    expect(causeOf(around({ number, wireType: 5, value: Buffer.alloc(4) }))).toBe(
      'wrong_wire_type',
    );
  });

  it.each([
    ['Timestamp.seconds', 1],
    ['Timestamp.nanos', 2],
  ])('%s', (_, number) => {
    const around = (node: WireNode) => inAttributes(message(4, message(1, node)));
    expect(causeOf(around(varint(number, 0n)))).toBe('none');
    expect(causeOf(around(text(number, '')))).toBe('wrong_wire_type');
    expect(causeOf(around(group(number)))).toBe('wrong_wire_type');
  });
});

describe('what is no protobuf at all is refused', () => {
  it.each<[string, readonly number[], MalformedCause]>([
    ['field number 0', [0x02, 0x00], 'wrong_wire_type'],
    ['wire type 6', [0x7e], 'wrong_wire_type'],
    ['wire type 7', [0x7f], 'wrong_wire_type'],
    ['the end of a group that has not begun', [0x7c], 'wrong_wire_type'],
    ['the end of another group', [0x7b, 0x74], 'wrong_wire_type'],
    ['wire type 7 in a group', [0x7b, 0x7f], 'wrong_wire_type'],
    ['a tag of 33 bits', [0xfa, 0x80, 0x80, 0x80, 0x10, 0x00], 'wrong_wire_type'],
    ['a varint of eleven bytes', [0x78, ...Array<number>(10).fill(0x80), 0x00], 'oversized'],
    ['a varint of 65 bits', [0x78, ...Array<number>(9).fill(0xff), 0x02], 'oversized'],
  ])('%s', (_, tail, cause) => {
    expect(causeOf(Buffer.from([...beside(), ...tail]))).toBe(cause);
  });
});

describe('fields that nobody reads are passed over', () => {
  it.each<[string, WireNode]>([
    ['a varint of ten bytes', varint(15, -1n)],
    ['a fixed64', { number: 15, wireType: 1, value: Buffer.alloc(8, 0xff) }],
    ['a fixed32', { number: 15, wireType: 5, value: Buffer.alloc(4, 0xff) }],
    ['bytes', text(15, 'anything')],
    ['a group of all kinds', group(15, varint(1, 1n), text(2, 'x'), group(3, varint(15, 0n)))],
    ['the highest field number', varint(536_870_911, 1n)],
    ['a number 32 above one that is read', varint(33, 1n)],
  ])('%s', (_, node) => {
    expect(causeOf(beside(node))).toBe('none');
    expect(causeOf(inAttributes(node))).toBe('none');
    expect(causeOf(inHttp(node, message(3, node), message(13, node, message(1, node))))).toBe(
      'none',
    );
  });
});

describe('whatever the bytes', () => {
  it('the decoder gives a value and agrees with the plain reference', () => {
    const start = Buffer.from(inHttp(message(3, text(1, 'cookie'), text(2, 'a'))));
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc
        .tuple(fc.uint8Array({ maxLength: 40 }), fc.nat(start.length), fc.nat(8))
        .map(([junk, from, length]) =>
          Buffer.concat([start.subarray(0, from), junk, start.subarray(from + length)]),
        ),
    );
    fc.assert(
      fc.property(bytes, (input) => {
        expect(decode(input)).toStrictEqual(referenceDecode(input, WANTED).decoded);
      }),
      { numRuns: 3000 },
    );
  });
});
