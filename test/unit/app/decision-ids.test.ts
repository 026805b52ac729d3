import { expect, it } from 'vitest';
import { decisionIds } from '../../../src/app/decision-ids.ts';

it('names of decisions are unique, and do not tell how many there were', () => {
  const next = decisionIds();
  const ids = Array.from({ length: 10_000 }, next);
  expect(new Set(ids).size).toBe(ids.length);
  const counters = ids.map((id) => Number.parseInt(id.split('-')[1] ?? '', 36));
  const ascending = counters.filter((counter, index) => counter > (counters[index - 1] ?? -1));
  expect(ascending.length).toBeLessThan(0.9 * counters.length);
});

it('those of two processes differ', () => {
  expect(decisionIds()().split('-')[0]).not.toBe(decisionIds()().split('-')[0]);
});
