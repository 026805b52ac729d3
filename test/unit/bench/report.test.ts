import { describe, expect, it } from 'vitest';
import { readOptions } from '../../bench/options.ts';
import { cpuList } from '../../bench/pinning.ts';
import { replaceSections } from '../../bench/report/document.ts';
import { isMet, targetLine } from '../../bench/report/part-result.ts';
import { median, spread } from '../../bench/report/statistics.ts';
import { short, table } from '../../bench/report/table.ts';
import { summarizeGc } from '../../bench/subjects/gc-trace.ts';

describe('statistics over rounds', () => {
  it.each([
    [[3, 1, 2], 2],
    [[4, 1, 3, 2], 2.5],
    [[7], 7],
  ])('the median of %j is %d', (values, wanted) => {
    expect(median(values)).toBe(wanted);
  });

  it('there is no median of nothing', () => {
    expect(() => median([])).toThrow(RangeError);
  });

  it('the spread is a share of the median', () => {
    expect(spread([90, 100, 110])).toBeCloseTo(0.2);
  });
});

describe('the collections that V8 tells of', () => {
  const LINES = [
    '[7:0x3ca44000]    42406 ms: Scavenge 97.7 (127.7) -> 75.8 (131.7) MB, pooled: 0.0 MB, 39.80 / 0.00 ms (average mu = 0.990, current mu = 0.991) allocation failure; ',
    '{"level":"info","message":"Scavenge 1 (2) -> 3 (4) MB, 5 / 0 ms"}',
    '[7:0x3ca44000]      367 ms: Incremental Mark-Compact 22.0 (34.5) -> 17.9 (35.8) MB, pooled: 0.0 MB, 13.24 / 0.00 ms (+ 0.4 ms in 13 steps since start of marking) (average mu = 0.959, current mu = 0.959) finalize incremental marking via stack guard; GC in old space requested',
    '[7:0x3ca44000]      400 ms: Mark-Compact (reduce) 22.0 (34.5) -> 17.9 (35.8) MB, pooled: 0.0 MB, 2.00 / 0.00 ms (average mu = 0.9, current mu = 0.9) idle task',
  ];

  it('are counted by kind, with their pauses', () => {
    const { totalMs, ...rest } = summarizeGc(LINES);
    expect(rest).toEqual({ scavenges: 1, markCompacts: 2, longestMs: 39.8 });
    expect(totalMs).toBeCloseTo(55.04);
  });

  it('are none in silence', () => {
    expect(summarizeGc([])).toEqual({ scavenges: 0, markCompacts: 0, totalMs: 0, longestMs: 0 });
  });
});

describe('targets', () => {
  it.each([
    [1.3, { atLeast: 1.3 }, true],
    [1.29, { atLeast: 1.3 }, false],
    [2, { atMost: 2 }, true],
    [2.01, { atMost: 2 }, false],
    // What could not be measured is not met.
    [Number.NaN, { atLeast: 0 }, false],
    [Number.NaN, { atMost: 9 }, false],
  ])('%d against %j: %s', (found, bound, wanted) => {
    expect(isMet({ name: 'x', found, bound })).toBe(wanted);
  });

  it('say what was wanted and what was found', () => {
    expect(targetLine({ name: 'a against b', found: 0.8, bound: { atLeast: 1.3 } })).toBe(
      '- a against b: 0.80 (target ≥ 1.3): **missed**',
    );
  });
});

describe('tables', () => {
  it('align in plain text as in Markdown', () => {
    expect(table(['', 'p50 ms'], [['latchkey', '1.20']])).toBe(
      ['|          | p50 ms |', '| -------- | -----: |', '| latchkey |   1.20 |'].join('\n'),
    );
  });

  it.each([
    [0.1234, '0.12'],
    [12.34, '12.3'],
    [1234.5, '1,235'],
  ])('%d is shown as %s', (value, wanted) => {
    expect(short(value)).toBe(wanted);
  });
});

describe('the document', () => {
  const DOCUMENT =
    'a\n<!-- bench:x -->\nold x\n<!-- /bench -->\nb\n<!-- bench:y -->\nold y\n<!-- /bench -->\n';

  it('gets the sections that were measured, and keeps the others', () => {
    expect(replaceSections(DOCUMENT, new Map([['x', 'new']]))).toBe(
      'a\n<!-- bench:x -->\n\nnew\n\n<!-- /bench -->\nb\n<!-- bench:y -->\nold y\n<!-- /bench -->\n',
    );
  });

  it('written twice is the same as once', () => {
    const once = replaceSections(DOCUMENT, new Map([['y', 'new']]));
    expect(replaceSections(once, new Map([['y', 'new']]))).toBe(once);
  });

  it('without the place of a section is an error that names it', () => {
    expect(() => replaceSections(DOCUMENT, new Map([['z', 'new']]))).toThrow('bench:z');
  });
});

describe('the command line', () => {
  const read = (...args: string[]) => readOptions(args);

  it('measures everything and writes it by default', () => {
    expect(read()).toMatchObject({
      kind: 'run',
      options: { writes: true, isQuick: false, sizes: [1000, 100_000, 1_000_000], entry: 'src' },
    });
  });

  it('never writes the figures of a quick run', () => {
    expect(read('--quick')).toMatchObject({ kind: 'run', options: { writes: false } });
    expect(read('--no-write')).toMatchObject({ kind: 'run', options: { writes: false } });
  });

  it('takes flags of V8 as lists', () => {
    expect(read('--variants', ';--a --b=1')).toMatchObject({
      options: { variants: [[], ['--a', '--b=1']] },
    });
  });

  it.each([
    [['--only', 'direct,nothing'], 'There is no part nothing; choose from direct, latency'],
    [['--sizes', '1,2'], '--sizes wants three numbers'],
    [['--sizes', '3,2,1'], '--sizes must grow'],
    [['--rounds', '0'], '--rounds wants a whole number above 0, not 0'],
    [['--variants', 'rm'], 'rm is no flag of V8'],
    [['--entry', 'lib'], '--entry can be src or dist, not lib'],
    [['--unheard-of'], '--unheard-of'],
  ])('%j is refused with a reason', (args, message) => {
    expect(read(...args)).toMatchObject({
      kind: 'wrong',
      message: expect.stringContaining(message),
    });
  });
});

describe('the list of processors', () => {
  it.each([
    ['0,1', [0, 1]],
    ['0,2-4', [0, 2, 3, 4]],
    ['5', [5]],
  ])('%s', (text, wanted) => {
    expect(cpuList(text)).toEqual(wanted);
  });
});
