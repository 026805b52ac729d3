import { describe, expect, it } from 'vitest';
import {
  displayWidth,
  fields,
  jsonLine,
  printable,
  table,
  timeText,
} from '../../../src/cli/output.ts';

/** What a terminal obeys: C0, DEL, C1, line separators, and what turns the direction of text. */
const DRIVING = [
  ...Array.from({ length: 0x20 }, (_, code) => code),
  ...Array.from({ length: 0x21 }, (_, code) => 0x7f + code),
  ...[0x200e, 0x200f, 0x2028, 0x2029, 0x202a, 0x202b, 0x202c, 0x202d, 0x202e],
  ...[0x2066, 0x2067, 0x2068, 0x2069],
].map((code) => String.fromCharCode(code));

describe('text from the store', () => {
  it.each([
    ['a\u001b[2J\u001b]0;owned\u0007b', 'a\ufffd[2J\ufffd]0;owned\ufffdb'],
    ['one\ntwo\r\tthree', 'one\ufffdtwo\ufffd\ufffdthree'],
    ['Zoë 株式会社 👩‍🚀 a–b', 'Zoë 株式会社 👩‍🚀 a–b'],
  ])('%j drives no terminal', (text, shown) => {
    expect(printable(text)).toBe(shown);
  });

  it('no character that a terminal obeys is left over, in a line or in JSON', () => {
    for (const character of DRIVING) {
      expect(printable(`a${character}b`)).toBe('a\ufffdb');
      expect(jsonLine([character])).not.toContain(character);
    }
  });

  it('comes out of JSON as it went in, on one line', () => {
    const value = { name: `${DRIVING.join('')}"\\é`, nested: [{ [DRIVING.join('')]: null }] };
    const line = jsonLine(value);
    expect(line).not.toContain('\n');
    expect(JSON.parse(line)).toEqual(value);
  });
});

it('a table has columns as wide as their widest cell, and no blanks at the end of a line', () => {
  expect(
    table(
      ['id', 'name'],
      [
        ['k1', 'a'],
        ['key-2', ''],
      ],
    ),
  ).toEqual(['ID     NAME', 'k1     a', 'key-2']);
  expect(table(['id', 'name'], [])).toEqual(['ID  NAME']);
});

it('columns stand under one another whatever script is in them', () => {
  expect(
    table(
      ['name', 'n'],
      [
        ['株式会社', '1'],
        ['Größe', '2'],
        ['👩‍🚀x', '3'],
      ],
    ),
  ).toEqual(['NAME      N', '株式会社  1', 'Größe     2', '👩‍🚀x       3']);
});

it.each([
  ['abc', 3],
  ['Größe – “x”', 11],
  ['株式会社', 8],
  ['ｶﾅ', 2],
  ['ＡＢ', 4],
  ['한글', 4],
  ['e\u0301', 1],
  ['👩‍🚀', 2],
  ['ЖФ', 2],
  ['', 0],
])('%j takes as many places as %i letters', (text, width) => {
  expect(displayWidth(text)).toBe(width);
});

it('a table of many rows is made as one of few', () => {
  const rows = Array.from({ length: 200_000 }, (_, n) => [String(n)]);
  expect(table(['id'], rows)).toHaveLength(200_001);
});

it('fields stand under one another', () => {
  expect(
    fields([
      ['id', 'k1'],
      ['last used', '-'],
    ]),
  ).toEqual(['id:        k1', 'last used: -']);
});

it('times are ISO 8601 in UTC, and no time is a dash', () => {
  expect([timeText(0), timeText(null)]).toEqual(['1970-01-01T00:00:00Z', '-']);
});
