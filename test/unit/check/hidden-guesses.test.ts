import { describe, expect, it } from 'vitest';
import { countingLimits, memoryOf, policyOf, tell, verdict } from '../../support/story.ts';

const policy = policyOf(`
version: 1
credentials: { bearer: { type: bearer } }
key_format: { also_accept: [k_] }
failed_authentications: { quota: 2, window: 1m }
routes:
  - { name: open, match: { path: /open } }
  - { name: hidden, match: { path: /hidden }, hide: true }
`);
const headers = { authorization: 'Bearer k_bad' };

describe('bad keys sent to a hidden path', () => {
  it.each([['/hidden'], ['/nothing']])('leave no trace in answers elsewhere: %s', (path) => {
    const limits = countingLimits();
    const memory = memoryOf(policy, { k_bad: 'absent' });
    const at = (where: string) =>
      verdict(tell({ policy, memory, limits }, { path: where, headers }));
    for (let guess = 1; guess <= 5; guess += 1) expect(at(path)).toMatch(/^404 /);
    expect(at('/open')).toBe('401 key_unknown');
  });

  it('are counted all the same', () => {
    const limits = countingLimits();
    const memory = memoryOf(policy, { k_bad: 'absent' });
    const guess = () => verdict(tell({ policy, memory, limits }, { path: '/hidden', headers }));
    expect([guess(), guess(), guess()]).toEqual([
      '404 key_unknown',
      '404 key_unknown',
      '404 too_many_failures',
    ]);
  });

  it('take their lookups from a budget of their own', () => {
    const bucket = (path: string) => {
      const outcome = tell({ policy }, { path, headers });
      return outcome.kind === 'need' ? outcome.clientBucket : 'none';
    };
    expect(bucket('/hidden')).not.toBe(bucket('/open'));
  });

  it('do not count against failures elsewhere, nor these against them', () => {
    const limits = countingLimits();
    const memory = memoryOf(policy, { k_bad: 'absent' });
    for (let guess = 1; guess <= 3; guess += 1) {
      tell({ policy, memory, limits }, { path: '/open', headers });
    }
    const cold = { authorization: 'Bearer k_cold' };
    const isMarked = (path: string) => {
      const outcome = tell({ policy, memory, limits }, { path, headers: cold });
      return outcome.kind === 'need' && outcome.isAfterFailures;
    };
    expect([isMarked('/open'), isMarked('/hidden')]).toEqual([true, false]);
  });
});
