import { describe, expect, it } from 'vitest';
import { expiryMs, spanMs } from '../../../src/cli/time-span.ts';

const DAY_MS = 86_400_000;
const NOW_MS = Date.parse('2026-06-01T12:00:00Z');

describe('a time span', () => {
  it.each([
    ['0', 0],
    ['1s', 1000],
    ['90s', 90_000],
    ['30m', 1_800_000],
    ['24h', DAY_MS],
    ['7d', 7 * DAY_MS],
    ['3650d', 3650 * DAY_MS],
  ])('%s', (text, ms) => {
    expect(spanMs(text)).toBe(ms);
  });

  it.each([
    '',
    '10',
    '0s',
    '01s',
    '-1s',
    '+1s',
    '1.5h',
    '1 h',
    '1H',
    '1w',
    '1h30m',
    '3651d',
    '9999999999s',
    '1e3s',
    '١d',
  ])('%j is none', (text) => {
    expect(spanMs(text)).toBeUndefined();
  });
});

describe('the end of a key', () => {
  it.each([
    ['90d', NOW_MS + 90 * DAY_MS],
    ['2027-01-31', Date.UTC(2027, 0, 31)],
    ['2027-01-31T18:00:00Z', Date.UTC(2027, 0, 31, 18)],
    ['2027-01-31T18:00:00.250+02:00', Date.UTC(2027, 0, 31, 16, 0, 0, 250)],
    ['2028-02-29', Date.UTC(2028, 1, 29)],
  ])('%s', (text, ms) => {
    expect(expiryMs(text, NOW_MS)).toBe(ms);
  });

  it.each([
    ['a day that the month does not have', '2027-02-29'],
    ['a day that the month does not have, with a time', '2027-02-31T00:00:00Z'],
    ['a time that is another one on every machine', '2027-01-31T18:00:00'],
    ['a time that is another one on every machine', '2027-01-31 18:00'],
    ['words', 'tomorrow'],
    ['a number', '1800000000'],
    ['nothing', ''],
  ])('%s is refused (%j), with the ways to write one', (_, text) => {
    expect(expiryMs(text, NOW_MS)).toMatchObject({
      reason: 'invalid',
      message: expect.stringMatching(
        /is no time\. Write a span .* a date .* or a time with its offset/,
      ),
    });
  });
});
