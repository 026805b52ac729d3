/**
 * IP addresses and CIDR blocks. One form for both families: eight 16-bit words, IPv4 as IPv4-mapped IPv6
 * (RFC 4291 §2.5.5.2), so that `::ffff:10.0.0.1` and `10.0.0.1` are the same address everywhere.
 */
export interface IpAddress {
  readonly words: readonly number[];
  readonly isV4: boolean;
}

export interface Cidr {
  readonly words: readonly number[];
  /** 0 to 128, counted over the mapped form. */
  readonly prefixBits: number;
}

export type CidrList = readonly Cidr[];

const WORDS = 8;
const V4_PREFIX_BITS = 96;
/** The longest textual IPv6 address is 45 characters (RFC 4291 with an embedded IPv4 address). */
export const ADDRESS_CHARS_MAX = 45;

/** `undefined` for anything that is not exactly one address: no zone, no port, no leading zeros in IPv4. */
export function parseAddress(text: string): IpAddress | undefined {
  if (text.length === 0 || text.length > ADDRESS_CHARS_MAX) return undefined;
  if (!text.includes(':')) {
    const pair = parseV4(text);
    return pair === undefined ? undefined : v4Address(pair);
  }
  const words = parseV6(text);
  if (words === undefined) return undefined;
  return { words, isV4: isMapped(words) };
}

/** `10.0.0.0/8`, `2001:db8::/32`, or a bare address for a block of one. Host bits must be zero. */
export function parseCidr(text: string): Cidr | undefined {
  const slash = text.indexOf('/');
  const address = parseAddress(slash < 0 ? text : text.slice(0, slash));
  if (address === undefined) return undefined;
  const offset = address.isV4 && !text.includes(':') ? V4_PREFIX_BITS : 0;
  if (slash < 0) return { words: address.words, prefixBits: 128 };
  const bitsText = text.slice(slash + 1);
  if (!/^(0|[1-9][0-9]{0,2})$/.test(bitsText)) return undefined;
  const prefixBits = Number(bitsText) + offset;
  if (prefixBits > 128) return undefined;
  for (let index = 0; index < WORDS; index += 1) {
    if (((address.words[index] ?? 0) & ~maskOf(prefixBits, index) & 0xffff) !== 0) return undefined;
  }
  return { words: address.words, prefixBits };
}

export function cidrListContains(list: CidrList, address: IpAddress): boolean {
  return list.some((cidr) => cidrContains(cidr, address));
}

/** For logs: dotted for IPv4, eight groups for IPv6. */
export function addressText(address: IpAddress): string {
  return address.isV4 ? v4Text(address.words) : address.words.map(hex).join(':');
}

/**
 * Whom an address stands for when requests are counted: itself for IPv4, its /64 for IPv6, since a single customer
 * holds at least a /64 and can change addresses within it at will (RFC 6177).
 */
export function addressBucket(address: IpAddress): string {
  const { words } = address;
  if (address.isV4) return v4Text(words);
  return `${hex(words[0])}:${hex(words[1])}:${hex(words[2])}:${hex(words[3])}::/64`;
}

function v4Text(words: readonly number[]): string {
  const high = words[6] ?? 0;
  const low = words[7] ?? 0;
  return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
}

function cidrContains(cidr: Cidr, address: IpAddress): boolean {
  // `::/0` means every IPv6 address: that IPv4 is written as a corner of IPv6 here must not widen anybody's list.
  if (address.isV4 && cidr.prefixBits < V4_PREFIX_BITS) return false;
  for (let index = 0; index < WORDS; index += 1) {
    const difference = (cidr.words[index] ?? 0) ^ (address.words[index] ?? 0);
    if ((difference & maskOf(cidr.prefixBits, index)) !== 0) return false;
  }
  return true;
}

function maskOf(prefixBits: number, wordIndex: number): number {
  const bits = Math.min(16, Math.max(0, prefixBits - wordIndex * 16));
  return (0xffff << (16 - bits)) & 0xffff;
}

function v4Address([high, low]: readonly [number, number]): IpAddress {
  return { words: [0, 0, 0, 0, 0, 0xffff, high, low], isV4: true };
}

function isMapped(words: readonly number[]): boolean {
  return words[5] === 0xffff && words.slice(0, 5).every((word) => word === 0);
}

function parseV4(text: string): readonly [number, number] | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (match === null) return undefined;
  const bytes: number[] = [];
  for (const part of match.slice(1)) {
    const byte = Number(part);
    // A leading zero is octal to some parsers and decimal to others: refused rather than guessed.
    if (byte > 255 || (part.length > 1 && part.startsWith('0'))) return undefined;
    bytes.push(byte);
  }
  const [a = 0, b = 0, c = 0, d = 0] = bytes;
  return [a * 256 + b, c * 256 + d];
}

function parseV6(text: string): readonly number[] | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const head = parseGroups(halves[0] ?? '', halves.length === 1);
  const tail = halves.length === 2 ? parseGroups(halves[1] ?? '', true) : [];
  if (head === undefined || tail === undefined) return undefined;
  const missing = WORDS - head.length - tail.length;
  // `::` stands for at least one group of zeros (RFC 5952 §4.2.2 only forbids writing it for one).
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined;
  return [...head, ...new Array<number>(missing).fill(0), ...tail];
}

/** An embedded IPv4 address may stand only at the very end of the whole text. */
function parseGroups(text: string, mayEndInV4: boolean): number[] | undefined {
  if (text === '') return [];
  const words: number[] = [];
  const groups = text.split(':');
  for (const [index, group] of groups.entries()) {
    if (group.includes('.')) {
      const pair = mayEndInV4 && index === groups.length - 1 ? parseV4(group) : undefined;
      if (pair === undefined) return undefined;
      words.push(...pair);
    } else if (/^[0-9A-Fa-f]{1,4}$/.test(group)) {
      words.push(Number.parseInt(group, 16));
    } else {
      return undefined;
    }
  }
  return words;
}

function hex(word: number | undefined): string {
  return (word ?? 0).toString(16);
}
