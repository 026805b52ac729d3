import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeForm, parametersNamed } from '../../../src/model/query.ts';

/** The plain reading: split, decode every name, compare. */
function plainly(query: string, name: string) {
  return query
    .split('&')
    .map((part) => {
      const equals = part.indexOf('=');
      return equals < 0
        ? { rawName: part, rawValue: '' }
        : { rawName: part.slice(0, equals), rawValue: part.slice(equals + 1) };
    })
    .filter(({ rawName }) => decodeForm(rawName) === name);
}

describe('parametersNamed', () => {
  it.each<[query: string, found: [rawName: string, rawValue: string][]]>([
    ['key=1', [['key', '1']]],
    ['a=1&key=2&b=3', [['key', '2']]],
    [
      'key=1&key=2',
      [
        ['key', '1'],
        ['key', '2'],
      ],
    ],
    ['key', [['key', '']]],
    ['key=', [['key', '']]],
    ['key&a', [['key', '']]],
    ['key=a=b', [['key', 'a=b']]],
    ['%6bey=1', [['%6bey', '1']]],
    ['%6Be%79=1', [['%6Be%79', '1']]],
    ['keys=1&ke=1&KEY=1&key[]=1&+key=1&key+=1', []],
    ['%256bey=1', []],
    ['%6=1&%=1&ke%=1&ke%7=9', []],
    ['ke%&79=1', []],
    ['a=key&a=%6bey', []],
    ['&&&=&=key', []],
    ['', []],
  ])('%s', (query, found) => {
    const parameters = parametersNamed(query, 'key');
    expect(parameters.map(({ rawName, rawValue }) => [rawName, rawValue])).toEqual(found);
  });

  it('finds what a plain reading finds', () => {
    const text = fc.array(
      fc.constantFrom('k', 'e', '.', '%6b', '%6B', '%65', '%2e', '%', '=', '&', '+', 'x'),
    );
    fc.assert(
      fc.property(text, fc.constantFrom('k', 'ke', 'k.e', 'kk'), (parts, name) => {
        const query = parts.join('');
        expect(parametersNamed(query, name)).toEqual(plainly(query, name));
      }),
      { numRuns: 5_000 },
    );
  });
});
