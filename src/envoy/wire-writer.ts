import { isUtf8 } from 'node:buffer';

/** Room for a usual answer; a larger one makes the buffer grow. */
const CAPACITY_BYTES_FIRST = 4 * 1024;

/** What a single large answer has claimed is not kept for ever. */
const CAPACITY_BYTES_KEPT = 64 * 1024;

/** UTF-8 takes at most three bytes per UTF-16 code unit. */
const UTF8_BYTES_PER_UNIT_MAX = 3;

/** From this length on one native call beats a loop over the characters. */
const NATIVE_UTF8_CHARS_MIN = 64;

const VARINT_BYTES_MAX = 5;
const FIRST_PRINTABLE = 0x20;
const LAST_PRINTABLE = 0x7e;
const QUESTION_MARK = 0x3f;
const LAST_ASCII = 0x7f;
/** Controls, and characters that are no bytes. */
const NO_HEADER_BYTE = /[\u0000-\u001f\u007f\u0100-\uffff]/;

/**
 * Writes a protobuf message back to front: the last field first, and a field's contents before its length and tag. So
 * every length is known by the time it is written; there is no size, computed beforehand, that the bytes could contradict.
 */
export class WireWriter {
  #buffer: Buffer = Buffer.allocUnsafeSlow(CAPACITY_BYTES_FIRST);
  /** The index of the byte written last: the message so far reaches from here to the end of the buffer. */
  #position = CAPACITY_BYTES_FIRST;

  /** Begins a message, whatever became of the one before. */
  begin(): void {
    this.#position = this.#buffer.length;
  }

  /** How many bytes have been written. Taken before the contents of a nested message, it goes to `endMessage` after. */
  get written(): number {
    return this.#buffer.length - this.#position;
  }

  /** Puts length and tag before what has been written since `writtenBefore` was taken. */
  endMessage(tag: number, writtenBefore: number): void {
    this.#lengthAndTag(this.written - writtenBefore, tag);
  }

  varintField(tag: number, value: number): void {
    this.#varint(value);
    this.#byte(tag);
  }

  /** Text in printable ASCII. Any other character becomes `?`, so that none can end a header line and begin another one. */
  printableField(tag: number, text: string): void {
    this.#printable(text);
    this.#lengthAndTag(text.length, tag);
  }

  /**
   * A header's value, one character per byte. Bytes beyond ASCII pass if they are UTF-8, which a string of protobuf has to
   * be (a cookie that goes back as it came); everything else as in `printableField`.
   */
  headerValueField(tag: number, value: string): void {
    if (this.#printable(value) > LAST_ASCII && !NO_HEADER_BYTE.test(value)) {
      const bytes = Buffer.from(value, 'latin1');
      if (isUtf8(bytes)) this.#buffer.set(bytes, this.#position);
    }
    this.#lengthAndTag(value.length, tag);
  }

  /** Any text; half a surrogate pair becomes U+FFFD, so the bytes are always valid UTF-8, as proto3 demands. */
  utf8Field(tag: number, text: string): void {
    const before = this.written;
    if (text.length >= NATIVE_UTF8_CHARS_MIN || !this.#ascii(text)) this.#utf8(text);
    this.endMessage(tag, before);
  }

  /** Bytes that already are fields of the current message. */
  fields(encoded: Uint8Array): void {
    this.#reserve(encoded.length);
    this.#position -= encoded.length;
    this.#buffer.set(encoded, this.#position);
  }

  /** A copy of the message. `longLived`: in memory of its own, since a slice keeps the whole of Buffer's pool alive. */
  take({ longLived }: { readonly longLived: boolean }): Uint8Array {
    const length = this.written;
    const message = longLived ? Buffer.allocUnsafeSlow(length) : Buffer.allocUnsafe(length);
    this.#buffer.copy(message, 0, this.#position);
    if (this.#buffer.length > CAPACITY_BYTES_KEPT) {
      this.#buffer = Buffer.allocUnsafeSlow(CAPACITY_BYTES_FIRST);
    }
    this.begin();
    return message;
  }

  /** One byte per character; gives the largest character code. */
  #printable(text: string): number {
    this.#reserve(text.length);
    const buffer = this.#buffer;
    const start = this.#position - text.length;
    let codeMax = 0;
    for (let index = 0; index < text.length; index += 1) {
      const code = text.charCodeAt(index);
      buffer[start + index] =
        code >= FIRST_PRINTABLE && code <= LAST_PRINTABLE ? code : QUESTION_MARK;
      if (code > codeMax) codeMax = code;
    }
    this.#position = start;
    return codeMax;
  }

  /** False, with nothing written, if the text has a character beyond ASCII. */
  #ascii(text: string): boolean {
    this.#reserve(text.length);
    const buffer = this.#buffer;
    const start = this.#position - text.length;
    for (let index = 0; index < text.length; index += 1) {
      const code = text.charCodeAt(index);
      if (code > 0x7f) return false;
      buffer[start + index] = code;
    }
    this.#position = start;
    return true;
  }

  #utf8(text: string): void {
    this.#reserve(text.length * UTF8_BYTES_PER_UNIT_MAX);
    this.#position -= Buffer.byteLength(text, 'utf8');
    this.#buffer.write(text, this.#position, 'utf8');
  }

  #lengthAndTag(length: number, tag: number): void {
    this.#varint(length);
    this.#byte(tag);
  }

  #varint(value: number): void {
    if (value < 0x80) {
      this.#byte(value);
      return;
    }
    this.#reserve(VARINT_BYTES_MAX);
    let index = this.#position - varintBytes(value);
    this.#position = index;
    let rest = value;
    while (rest >= 0x80) {
      this.#buffer[index] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
      index += 1;
    }
    this.#buffer[index] = rest;
  }

  #byte(value: number): void {
    this.#reserve(1);
    this.#position -= 1;
    this.#buffer[this.#position] = value;
  }

  /** Makes room before the position. */
  #reserve(byteCount: number): void {
    if (byteCount <= this.#position) return;
    const grown = Buffer.allocUnsafeSlow(2 * (this.#buffer.length + byteCount));
    const newPosition = grown.length - this.written;
    this.#buffer.copy(grown, newPosition, this.#position);
    this.#buffer = grown;
    this.#position = newPosition;
  }
}

/** For values below 2^32. */
function varintBytes(value: number): number {
  let count = 1;
  for (let rest = value >>> 7; rest > 0; rest >>>= 7) count += 1;
  return count;
}
