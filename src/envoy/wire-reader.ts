import type { MalformedCause } from '../model/request.ts';

/** How a field's value is laid out: the low three bits of a tag; the rest is the field's number (protobuf.dev/programming-guides/encoding). */
export const WIRE_TYPE = {
  varint: 0,
  fixed64: 1,
  lengthDelimited: 2,
  groupStart: 3,
  groupEnd: 4,
  fixed32: 5,
} as const;

export function tagOf(fieldNumber: number, wireType: number): number {
  return (fieldNumber << 3) | wireType;
}

/** The tag of a string, of bytes, or of a message within a message. */
export function lengthDelimited(fieldNumber: number): number {
  return tagOf(fieldNumber, WIRE_TYPE.lengthDelimited);
}

/** The fields of these tags as a set: bit n stands for field number n, which must be below 32. */
export function fieldBits(...tags: readonly number[]): number {
  return tags.reduce((bits, tag) => bits | (1 << (tag >>> 3)), 0);
}

/** Groups within groups; the nesting at which protobuf's own parsers give up. */
const GROUP_DEPTH_MAX = 100;

/** 64 bits in portions of seven. */
const VARINT_BYTES_MAX = 10;

const TAG_MAX = 0xffff_ffff;
const INT32_MAX = 0x7fff_ffff;

/**
 * Walks over the bytes of a protobuf message and makes no objects. Nothing here throws: the first fault is kept in
 * `cause` and moves the position to the end, from where everything reads as zero, empty or "no more fields".
 */
export class WireReader {
  cause: MalformedCause | undefined = undefined;
  readonly bytes: Buffer;
  position = 0;
  /** Where the innermost message that was entered ends; nothing reads beyond it. */
  #limit: number;
  #fieldsLeft: number;

  /** `fieldsMax`: how many fields may be looked at, over all nesting levels. */
  constructor(bytes: Buffer, fieldsMax: number) {
    this.bytes = bytes;
    this.#limit = bytes.length;
    this.#fieldsLeft = fieldsMax;
  }

  /** The tag of the next field; 0, which is no legal tag, at the end of the current message. */
  nextTag(): number {
    if (this.position >= this.#limit) return 0;
    this.#fieldsLeft -= 1;
    if (this.#fieldsLeft < 0) return this.fail('too_many_fields');
    const tag = this.#varint();
    // Field numbers start at 1, and a tag has 32 bits.
    if (tag < 8 || tag > TAG_MAX) return this.fail('wrong_wire_type');
    return tag;
  }

  /** Enters the message that is the next value. What it gives back goes to `leave` once `nextTag` has given 0. */
  enter(): number {
    const outerLimit = this.#limit;
    const length = this.#length();
    this.#limit = this.position + length;
    return outerLimit;
  }

  leave(outerLimit: number): void {
    this.#limit = outerLimit;
  }

  /** A string or bytes value, one character per byte. */
  byteString(): string {
    const start = this.passBytes();
    return this.byteStringBetween(start, this.position);
  }

  /** Passes over a string or bytes value and gives where it starts; it ends at `position`. */
  passBytes(): number {
    const length = this.#length();
    const start = this.position;
    this.position += length;
    return start;
  }

  byteStringBetween(start: number, end: number): string {
    return this.bytes.toString('latin1', start, end);
  }

  /** An int32 or int64 value in decimal; as text, because a number holds 53 bits only. */
  decimal(bits: 32 | 64): string {
    const start = this.position;
    const value = this.#varint();
    if (value <= (bits === 64 ? Number.MAX_SAFE_INTEGER : INT32_MAX)) return String(value);
    let exact = 0n;
    for (let index = this.position - 1; index >= start; index -= 1) {
      exact = (exact << 7n) | BigInt(this.#byteAt(index) & 0x7f);
    }
    return BigInt.asIntN(bits, exact).toString();
  }

  /**
   * Passes over a field that the caller does not read. `readFields` has the bit of every field number that it does: one
   * of those arrives here only with a wire type that is not its own.
   */
  skip(tag: number, readFields: number): void {
    const fieldNumber = tag >>> 3;
    if (fieldNumber < 32 && ((readFields >>> fieldNumber) & 1) === 1) {
      this.fail('wrong_wire_type');
      return;
    }
    if ((tag & 7) === WIRE_TYPE.groupStart) this.#skipGroup(fieldNumber);
    else this.#skipValue(tag & 7);
  }

  fail(cause: MalformedCause): 0 {
    this.cause ??= cause;
    this.position = this.bytes.length;
    return 0;
  }

  #skipValue(wireType: number): void {
    switch (wireType) {
      case WIRE_TYPE.varint:
        this.#varint();
        break;
      case WIRE_TYPE.fixed64:
        this.#advance(8);
        break;
      case WIRE_TYPE.lengthDelimited:
        this.#advance(this.#length());
        break;
      case WIRE_TYPE.fixed32:
        this.#advance(4);
        break;
      default:
        this.fail('wrong_wire_type');
    }
  }

  /** No recursion: the depth is the sender's to choose. */
  #skipGroup(fieldNumber: number): void {
    const open = [fieldNumber];
    while (open.length > 0) {
      const tag = this.nextTag();
      if (tag === 0) {
        this.fail('truncated');
        return;
      }
      if ((tag & 7) === WIRE_TYPE.groupStart) {
        if (open.length === GROUP_DEPTH_MAX) this.fail('nested_too_deep');
        open.push(tag >>> 3);
      } else if ((tag & 7) === WIRE_TYPE.groupEnd) {
        if (open.pop() !== tag >>> 3) this.fail('wrong_wire_type');
      } else {
        this.#skipValue(tag & 7);
      }
    }
  }

  #advance(byteCount: number): void {
    if (byteCount > this.#limit - this.position) this.fail('truncated');
    else this.position += byteCount;
  }

  #length(): number {
    const length = this.#varint();
    return length > this.#limit - this.position ? this.fail('truncated') : length;
  }

  /** Exact up to 2^53, which is all that tags and lengths can use. */
  #varint(): number {
    const first = this.position < this.#limit ? this.#byteAt(this.position) : 0x80;
    if (first < 0x80) {
      this.position += 1;
      return first;
    }
    return this.#longVarint();
  }

  #longVarint(): number {
    let value = 0;
    let scale = 1;
    for (let count = 1; count <= VARINT_BYTES_MAX; count += 1) {
      if (this.position >= this.#limit) return this.fail('truncated');
      const byte = this.#byteAt(this.position);
      this.position += 1;
      // The tenth byte has room for the 64th bit only.
      if (count === VARINT_BYTES_MAX && byte > 1) break;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 0x80;
    }
    return this.fail('oversized');
  }

  #byteAt(index: number): number {
    return this.bytes[index] ?? 0;
  }
}
