import type { CheckInput, DecodedRequest, MalformedCause } from '../../src/model/request.ts';
import {
  areAlternatives,
  CHECK_REQUEST,
  isHeaderLine,
  type MessageSchema,
} from './check-request-schema.ts';

/**
 * A second decoder, written as plainly as the encoding is described (protobuf.dev/programming-guides/encoding), with
 * objects, recursion and exceptions: what ours must agree with on any bytes, down to the cause of a refusal.
 */
export function referenceDecode(bytes: Uint8Array, wanted: readonly string[]): ReferenceResult {
  const cursor = { bytes, position: 0, fieldsSeen: 0, headerLines: 0, protobufjsDiffers: false };
  const decoded = decode(cursor, wanted);
  return { decoded, protobufjsDiffers: cursor.protobufjsDiffers };
}

export interface ReferenceResult {
  readonly decoded: DecodedRequest;
  /**
   * protobufjs 7 reads these bytes otherwise than the specification says and cannot judge them: it replaces a message that
   * comes in pieces instead of merging it, takes the highest-numbered of several members of a oneof instead of the last, and
   * takes a 32-bit varint padded to six to nine bytes for one of ten.
   */
  readonly protobufjsDiffers: boolean;
}

type Message = { readonly number: number; readonly value: bigint | string | Message }[];

interface Cursor {
  readonly bytes: Uint8Array;
  position: number;
  fieldsSeen: number;
  headerLines: number;
  protobufjsDiffers: boolean;
}

class Malformed extends Error {
  readonly malformed: MalformedCause;
  constructor(malformed: MalformedCause) {
    super(malformed);
    this.malformed = malformed;
  }
}

function decode(cursor: Cursor, wanted: readonly string[]): DecodedRequest {
  if (cursor.bytes.length > 1024 * 1024) return { kind: 'malformed', cause: 'oversized' };
  try {
    const input = interpret(parse(cursor, cursor.bytes.length, CHECK_REQUEST), wanted);
    return input.method === '' || input.path === ''
      ? { kind: 'malformed', cause: 'attributes_missing' }
      : { kind: 'request', input };
  } catch (error) {
    if (error instanceof Malformed) return { kind: 'malformed', cause: error.malformed };
    throw error;
  }
}

function parse(cursor: Cursor, end: number, schema: MessageSchema): Message {
  const message: Message = [];
  while (cursor.position < end) {
    const { number, wireType } = readTag(cursor, end);
    const field = schema[number];
    if (field === undefined) {
      skip(cursor, end, { number, wireType, depth: 1 });
      continue;
    }
    if (wireType !== (field.type === 'varint' ? 0 : 2)) throw new Malformed('wrong_wire_type');
    if (isHeaderLine(schema, number)) {
      cursor.headerLines += 1;
      if (cursor.headerLines > 4096) throw new Malformed('too_many_fields');
    }
    if (field.type === 'varint') {
      message.push({ number, value: readVarint(cursor, end, number === 2) });
      continue;
    }
    const length = readLength(cursor, end);
    const valueEnd = cursor.position + length;
    const isSingular = field.type === 'message' && !field.repeated;
    const cameBefore = message.some((other) => other.number === number);
    if ((areAlternatives(schema) && message.length > 0) || (isSingular && cameBefore)) {
      cursor.protobufjsDiffers = true;
    }
    if (field.type === 'message') {
      message.push({ number, value: parse(cursor, valueEnd, field.of) });
    } else {
      const bytes = cursor.bytes.subarray(cursor.position, valueEnd);
      message.push({ number, value: Buffer.from(bytes).toString('latin1') });
    }
    cursor.position = valueEnd;
  }
  return message;
}

function readTag(cursor: Cursor, end: number): { number: number; wireType: number } {
  cursor.fieldsSeen += 1;
  if (cursor.fieldsSeen > 6 * 4096) throw new Malformed('too_many_fields');
  const tag = readVarint(cursor, end, true);
  if (tag < 8n || tag >= 1n << 32n) throw new Malformed('wrong_wire_type');
  return { number: Number(tag >> 3n), wireType: Number(tag & 7n) };
}

function readVarint(cursor: Cursor, end: number, is32Bit: boolean): bigint {
  let value = 0n;
  for (let index = 0; index < 10; index += 1) {
    if (cursor.position >= end) throw new Malformed('truncated');
    const byte = cursor.bytes[cursor.position] ?? 0;
    cursor.position += 1;
    value |= BigInt(byte & 0x7f) << BigInt(7 * index);
    if (byte < 0x80) {
      if (value >= 1n << 64n) throw new Malformed('oversized');
      if (is32Bit && index >= 5 && index <= 8) cursor.protobufjsDiffers = true;
      return value;
    }
  }
  throw new Malformed('oversized');
}

function readLength(cursor: Cursor, end: number): number {
  const length = readVarint(cursor, end, true);
  if (length > BigInt(end - cursor.position)) throw new Malformed('truncated');
  return Number(length);
}

interface Skipped {
  readonly number: number;
  readonly wireType: number;
  readonly depth: number;
}

function skip(cursor: Cursor, end: number, { number, wireType, depth }: Skipped): void {
  switch (wireType) {
    case 0:
      readVarint(cursor, end, false);
      return;
    case 1:
    case 5: {
      const size = wireType === 1 ? 8 : 4;
      if (cursor.position + size > end) throw new Malformed('truncated');
      cursor.position += size;
      return;
    }
    case 2: {
      const length = readLength(cursor, end);
      cursor.position += length;
      return;
    }
    case 3:
      for (;;) {
        if (cursor.position >= end) throw new Malformed('truncated');
        const inner = readTag(cursor, end);
        if (inner.wireType === 4) {
          if (inner.number !== number) throw new Malformed('wrong_wire_type');
          return;
        }
        if (inner.wireType === 3 && depth === 100) throw new Malformed('nested_too_deep');
        skip(cursor, end, { ...inner, depth: depth + 1 });
      }
    default:
      throw new Malformed('wrong_wire_type');
  }
}

function interpret(request: Message, wanted: readonly string[]): CheckInput {
  const attributes = merged(request, 1);
  const time = merged(merged(attributes, 4), 1);
  const http = merged(merged(attributes, 4), 2);
  const id = last(http, 1);
  const address = addressOf(merged(merged(attributes, 1), 1));
  const rules = all(attributes, 10).filter((entry) => last(entry, 1) === 'rule');
  const rule = rules.at(-1);
  const seconds = BigInt.asIntN(64, lastNumber(time, 1));
  const nanos = BigInt.asIntN(32, lastNumber(time, 2));
  return {
    method: last(http, 2),
    path: last(http, 4),
    host: last(http, 5),
    scheme: last(http, 6),
    headers: slotsOf(headerLines(http), wanted),
    peerAddress: address === '' ? undefined : address,
    ruleName: rule && last(rule, 2),
    requestKey: id === '' ? undefined : `${id}:${seconds}.${nanos}`,
  };
}

/** Lines in the order of the wire. */
function headerLines(http: Message): [name: string, value: string][] {
  return http.flatMap(({ number, value }): [string, string][] => {
    if (!Array.isArray(value)) return [];
    if (number === 3) return [[last(value, 1), last(value, 2)]];
    return all(value, 1).map((line) => [last(line, 1), last(line, 3) || last(line, 2)]);
  });
}

/** What `CheckInput.headers` holds for these lines. */
export function slotsOf(
  lines: readonly (readonly [name: string, value: string])[],
  wanted: readonly string[],
): CheckInput['headers'] {
  const asciiLowerCase = (text: string) => text.replace(/[A-Z]/g, (char) => char.toLowerCase());
  return wanted.map((name) => {
    const values = lines.filter((line) => asciiLowerCase(line[0]) === name).map((line) => line[1]);
    if (name === '' || values.length === 0) return undefined;
    return values.length === 1 ? values[0] : values;
  });
}

/** A oneof: a member of another number wipes out what was there. */
function addressOf(address: Message): string {
  let current: Message = [];
  for (const { number, value } of address) {
    current = number === 1 && Array.isArray(value) ? [...current, ...value] : [];
  }
  return last(current, 2);
}

function all(message: Message, number: number): Message[] {
  return message.flatMap((field) =>
    field.number === number && Array.isArray(field.value) ? [field.value] : [],
  );
}

function merged(message: Message, number: number): Message {
  return all(message, number).flat();
}

function last(message: Message, number: number): string {
  const value = message.findLast((field) => field.number === number)?.value;
  return typeof value === 'string' ? value : '';
}

function lastNumber(message: Message, number: number): bigint {
  const value = message.findLast((field) => field.number === number)?.value;
  return typeof value === 'bigint' ? value : 0n;
}
