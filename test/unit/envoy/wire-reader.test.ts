import { describe, expect, it } from 'vitest';
import { WireReader } from '../../../src/envoy/wire-reader.ts';

describe('after the first fault nothing more is read', () => {
  /** What follows these bytes could be read as a field. */
  const faulty = (bytes: readonly number[], fieldsMax = 10) =>
    new WireReader(Buffer.from([...bytes, 0x0a, 0x01, 0x41]), fieldsMax);

  it.each<[string, (reader: WireReader) => unknown, readonly number[]]>([
    ['a tag', (reader) => reader.nextTag(), [0x00]],
    ['one field too many', (reader) => reader.nextTag(), []],
    ['a length', (reader) => reader.passBytes(), [0x7f]],
    ['a nested message', (reader) => reader.enter(), [0x7f]],
    ['a varint', (reader) => reader.decimal(64), Array<number>(11).fill(0x80)],
    ['a skipped field', (reader) => reader.skip(0x0f, 0), []],
    ['a group', (reader) => reader.skip(0x0b, 0), [0x14]],
    ['a wrong wire type', (reader) => reader.skip(0x08, 0b10), []],
  ])('%s', (name, read, bytes) => {
    const reader = faulty(bytes, name === 'one field too many' ? 0 : 10);
    read(reader);
    const cause = reader.cause;
    expect(cause).toBeDefined();
    reader.leave(bytes.length + 3);
    expect(reader.nextTag()).toBe(0);
    expect(reader.byteString()).toBe('');
    expect(reader.decimal(32)).toBe('0');
    expect(reader.cause, 'the first cause is kept').toBe(cause);
  });
});
