import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { checkPolicyText } from '../../../src/policy/check-policy.ts';
import { formatProblem } from '../../../src/policy/problem.ts';

const FIXTURES = new URL('../../fixtures/policies/', import.meta.url);

/** Each file is a policy with one kind of fault, headed by the exact messages that it must give. */
describe('every fault of a policy file is told with its line, its path, and what to do', () => {
  it.each(readdirSync(FIXTURES))('%s', (name) => {
    const text = readFileSync(new URL(name, FIXTURES), 'utf8');
    const expected = [...text.matchAll(/^# expect: (.*)$/gm)].map(([, message]) => message);
    const { errors, policy } = checkPolicyText(text);
    expect(expected).not.toEqual([]);
    expect(errors.map(formatProblem)).toEqual(expected);
    expect(policy).toBeUndefined();
  });
});
