import { decodeHuffman } from './huffman.ts';

export type Header = readonly [name: string, value: string];

/** RFC 7541, appendix A; the first entry has index 1. */
const STATIC_TABLE: readonly Header[] = [
  [':authority', ''],
  ...[...pair(':method', 'GET', 'POST'), ...pair(':path', '/', '/index.html')],
  ...pair(':scheme', 'http', 'https'),
  ...pair(':status', '200', '204', '206', '304', '400', '404', '500'),
  ['accept-charset', ''],
  ['accept-encoding', 'gzip, deflate'],
  ...empty('accept-language', 'accept-ranges', 'accept', 'access-control-allow-origin', 'age'),
  ...empty('allow', 'authorization', 'cache-control', 'content-disposition', 'content-encoding'),
  ...empty('content-language', 'content-length', 'content-location', 'content-range'),
  ...empty('content-type', 'cookie', 'date', 'etag', 'expect', 'expires', 'from', 'host'),
  ...empty('if-match', 'if-modified-since', 'if-none-match', 'if-range', 'if-unmodified-since'),
  ...empty('last-modified', 'link', 'location', 'max-forwards', 'proxy-authenticate'),
  ...empty('proxy-authorization', 'range', 'referer', 'refresh', 'retry-after', 'server'),
  ...empty('set-cookie', 'strict-transport-security', 'transfer-encoding', 'user-agent', 'vary'),
  ...empty('via', 'www-authenticate'),
];

function pair(name: string, ...values: string[]): Header[] {
  return values.map((value) => [name, value]);
}

function empty(...names: string[]): Header[] {
  return names.map((name) => [name, '']);
}

/** Bytes that an entry takes beside its texts (RFC 7541 §4.1). */
const ENTRY_OVERHEAD = 32;
/** SETTINGS_HEADER_TABLE_SIZE where nobody says otherwise. */
const TABLE_BYTES_MAX = 4096;

/** Reads header blocks of one connection, in the order in which they came. */
export class HpackDecoder {
  /** Newest first. */
  readonly #table: Header[] = [];
  #tableBytes = 0;
  #tableBytesMax = TABLE_BYTES_MAX;
  #at = 0;
  #bytes: Uint8Array = new Uint8Array();
  #end = 0;

  /** Calls `seen` for each header. @throws RangeError for what is no header block. */
  decode(
    block: { readonly bytes: Uint8Array; readonly start: number; readonly end: number },
    seen: (header: Header) => void,
  ): void {
    this.#bytes = block.bytes;
    this.#at = block.start;
    this.#end = block.end;
    while (this.#at < this.#end) {
      const first = this.#bytes[this.#at] ?? 0;
      if (first >= 0x80) {
        seen(this.#entry(this.#integer(7)));
      } else if (first >= 0x40) {
        const header = this.#literal(6);
        this.#add(header);
        seen(header);
      } else if (first >= 0x20) {
        this.#tableBytesMax = this.#integer(5);
        this.#shrink();
      } else {
        seen(this.#literal(4));
      }
    }
  }

  #literal(prefixBits: number): Header {
    const index = this.#integer(prefixBits);
    const name = index === 0 ? this.#string() : this.#entry(index)[0];
    return [name, this.#string()];
  }

  #entry(index: number): Header {
    const header =
      index <= STATIC_TABLE.length
        ? STATIC_TABLE[index - 1]
        : this.#table[index - STATIC_TABLE.length - 1];
    if (header === undefined) throw new RangeError(`HPACK has no entry ${index}`);
    return header;
  }

  #add(header: Header): void {
    this.#table.unshift(header);
    this.#tableBytes += sizeOf(header);
    this.#shrink();
  }

  #shrink(): void {
    while (this.#tableBytes > this.#tableBytesMax) {
      const oldest = this.#table.pop();
      if (oldest === undefined) return;
      this.#tableBytes -= sizeOf(oldest);
    }
  }

  #integer(prefixBits: number): number {
    const mask = 2 ** prefixBits - 1;
    let value = this.#byte() & mask;
    if (value < mask) return value;
    for (let shift = 0; ; shift += 7) {
      const byte = this.#byte();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  }

  #string(): string {
    const isHuffman = (this.#bytes[this.#at] ?? 0) >= 0x80;
    const length = this.#integer(7);
    const start = this.#at;
    this.#at += length;
    if (this.#at > this.#end) throw new RangeError('an HPACK string goes beyond its block');
    return isHuffman
      ? decodeHuffman(this.#bytes, start, this.#at)
      : Buffer.from(this.#bytes.buffer, this.#bytes.byteOffset + start, length).toString('latin1');
  }

  #byte(): number {
    if (this.#at >= this.#end) throw new RangeError('an HPACK block ends early');
    const byte = this.#bytes[this.#at] ?? 0;
    this.#at += 1;
    return byte;
  }
}

const sizeOf = ([name, value]: Header): number => name.length + value.length + ENTRY_OVERHEAD;

/** `changes`: differs from request to request, and stands in the block as it is. */
export type RequestHeader = readonly [name: string, value: string, changes?: 'changes'];

/** The headers of a request as Envoy writes them: what stays the same is remembered at first and then named by its index. */
export interface HeaderBlocks {
  /** Of the first request of a connection. */
  readonly first: Buffer;
  /** Of every later one. */
  readonly later: Buffer;
}

/** Without Huffman coding, so that a text can be replaced where it stands. */
export function encodeHeaders(headers: readonly RequestHeader[]): HeaderBlocks {
  const first: number[] = [];
  const later: number[] = [];
  let olderThan = headers.filter(isRemembered).length;
  for (const header of headers) {
    const [name, value] = header;
    if (isRemembered(header)) {
      first.push(0x40, ...string(name), ...string(value));
      // What was remembered last follows the static table.
      later.push(...integer(STATIC_TABLE.length + olderThan, 7, 0x80));
      olderThan -= 1;
      continue;
    }
    const known = staticIndex(header);
    const written = known > 0 ? [0x80 | known] : [0x00, ...string(name), ...string(value)];
    first.push(...written);
    later.push(...written);
  }
  return { first: Buffer.from(first), later: Buffer.from(later) };
}

function isRemembered(header: RequestHeader): boolean {
  return header[2] === undefined && staticIndex(header) === 0;
}

/** 0: it is not there. */
function staticIndex([name, value]: RequestHeader): number {
  return 1 + STATIC_TABLE.findIndex((entry) => entry[0] === name && entry[1] === value);
}

function string(text: string): number[] {
  return [...integer(text.length, 7, 0), ...Buffer.from(text, 'latin1')];
}

function integer(value: number, prefixBits: number, flags: number): number[] {
  const mask = 2 ** prefixBits - 1;
  if (value < mask) return [flags | value];
  const bytes = [flags | mask];
  let rest = value - mask;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  return [...bytes, rest];
}
