import { describe, expect, it } from 'vitest';
import { encodeHeaders, type Header, HpackDecoder } from '../../bench/load/hpack.ts';

/** Blocks of one connection, in order, with what they say: RFC 7541, appendix C.6 (Huffman, a table of 256 bytes). */
const RESPONSES: readonly [hex: string, headers: readonly Header[]][] = [
  [
    '3fe101488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3',
    [
      [':status', '302'],
      ['cache-control', 'private'],
      ['date', 'Mon, 21 Oct 2013 20:13:21 GMT'],
      ['location', 'https://www.example.com'],
    ],
  ],
  [
    '4883640effc1c0bf',
    [
      [':status', '307'],
      ['cache-control', 'private'],
      ['date', 'Mon, 21 Oct 2013 20:13:21 GMT'],
      ['location', 'https://www.example.com'],
    ],
  ],
  [
    '88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007',
    [
      [':status', '200'],
      ['cache-control', 'private'],
      ['date', 'Mon, 21 Oct 2013 20:13:22 GMT'],
      ['location', 'https://www.example.com'],
      ['content-encoding', 'gzip'],
      ['set-cookie', 'foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1'],
    ],
  ],
];

function decoded(decoder: HpackDecoder, bytes: Uint8Array): Header[] {
  const headers: Header[] = [];
  decoder.decode({ bytes, start: 0, end: bytes.length }, (header) => headers.push(header));
  return headers;
}

describe('the HPACK decoder', () => {
  it('reads the responses of RFC 7541, C.6, with their table and what falls out of it', () => {
    const decoder = new HpackDecoder();
    for (const [hex, headers] of RESPONSES) {
      // The RFC's encoder was told of 256 bytes out of band; the first block here says it itself (3f e1 01).
      expect(decoded(decoder, Buffer.from(hex, 'hex'))).toEqual(headers);
    }
    // Three entries are left (62 to 64), and the fourth has fallen out.
    expect(decoded(decoder, Buffer.from('c0', 'hex'))[0]?.[0]).toBe('date');
    expect(() => decoded(decoder, Buffer.from('c1', 'hex'))).toThrow(RangeError);
  });

  it('reads a block wherever it lies in a buffer', () => {
    const block = Buffer.from('88', 'hex');
    const around = Buffer.concat([Buffer.from('ffff', 'hex'), block, Buffer.from('ff', 'hex')]);
    const headers: Header[] = [];
    new HpackDecoder().decode({ bytes: around, start: 2, end: 3 }, (h) => headers.push(h));
    expect(headers).toEqual([[':status', '200']]);
  });

  it.each([
    ['an index beyond the table', 'fe'],
    ['an integer that ends early', 'ff'],
    ['a string that goes beyond its block', '0005616263'],
  ])('refuses %s', (_what, hex) => {
    expect(() => decoded(new HpackDecoder(), Buffer.from(hex, 'hex'))).toThrow(RangeError);
  });
});

describe('the header blocks of a request', () => {
  const headers: readonly Header[] = [
    [':method', 'POST'],
    [':path', '/a.B/C'],
    [':scheme', 'http'],
    ['te', 'trailers'],
    ['x-long', 'v'.repeat(300)],
  ];

  it('say the same, first in full and then by index', () => {
    const { first, later } = encodeHeaders(headers);
    const decoder = new HpackDecoder();
    expect(decoded(decoder, first)).toEqual(headers);
    expect(decoded(decoder, later)).toEqual(headers);
    expect(decoded(decoder, later)).toEqual(headers);
    expect(later.length).toBe(headers.length);
  });

  it('hold what changes as it is, and never by index', () => {
    const { first, later } = encodeHeaders([
      [':method', 'GET'],
      [':path', '/####', 'changes'],
      ['accept', 'application/json'],
    ]);
    const decoder = new HpackDecoder();
    decoded(decoder, Buffer.from(first.toString('latin1').replace('####', '0001'), 'latin1'));
    const second = Buffer.from(later.toString('latin1').replace('####', '0002'), 'latin1');
    expect(decoded(decoder, second)).toEqual([
      [':method', 'GET'],
      [':path', '/0002'],
      ['accept', 'application/json'],
    ]);
  });
});
