import { describe, expect, it } from 'vitest';
import { checkPolicyText } from '../../../src/policy/check-policy.ts';
import { formatProblem } from '../../../src/policy/problem.ts';

const errorsOf = (text: string) => checkPolicyText(text).errors.map(formatProblem);

describe('a hostile file ends in one error, soon', () => {
  it('aliases that multiply', () => {
    const levels = Array.from({ length: 12 }, (_, level) => {
      const inner = level === 0 ? 'x' : `*l${level - 1}`;
      return `l${level}: &l${level} [${Array.from({ length: 10 }, () => inner).join(', ')}]`;
    });
    const errors = errorsOf(`${levels.join('\n')}\n`);
    expect(errors).toEqual([
      expect.stringMatching(
        /^\d+:\d+ l\d+(\[\d\])+: the aliases of this file expand to too much; write it out\.$/,
      ),
    ]);
  });

  it('an alias of itself', () => {
    expect(errorsOf('routes: &loop [*loop]\n')).toEqual([
      expect.stringContaining('nested more than 64 levels deep; flatten it.'),
    ]);
  });

  it('many aliases of one small thing', () => {
    const text = `version: 1\nroutes: []\nscopes:\n  a: &a { implies: [b] }\n${Array.from(
      { length: 5_000 },
      (_, index) => `  s${index}: *a\n`,
    ).join('')}`;
    expect(checkPolicyText(text).policy?.impliedScopes.size).toBe(5_001);
  });

  it.each([
    ['flow lists', '['.repeat(50_000)],
    ['flow mappings', '{a: '.repeat(50_000)],
    ['block lists', '- '.repeat(50_000)],
    ['closed flow lists', `routes: ${'['.repeat(5_000)}${']'.repeat(5_000)}`],
    ['closed flow lists within the parser', `routes: ${'['.repeat(80)}${']'.repeat(80)}`],
  ])('deep %s', (_title, text) => {
    expect(errorsOf(text).length).toBeGreaterThan(0);
  });

  it('scopes that imply each other all', () => {
    const names = Array.from({ length: 300 }, (_, index) => `s${index}`);
    const scopes = Object.fromEntries(names.map((name) => [name, { implies: names }]));
    const { policy } = checkPolicyText(JSON.stringify({ version: 1, scopes, routes: [] }));
    expect(policy?.impliedScopes.get('s7')).toHaveLength(300);
  });

  it('a long chain of scopes', () => {
    const scopes = Object.fromEntries(
      Array.from({ length: 10_000 }, (_, index) => [`s${index}`, { implies: [`s${index + 1}`] }]),
    );
    expect(errorsOf(JSON.stringify({ version: 1, routes: [], scopes }))).toEqual([
      '1:35 scopes: the scopes imply each other more than 100000 times in all; declare fewer.',
    ]);
  });

  it('names that objects have of themselves', () => {
    const text = `version: 1
credentials: { toString: { type: bearer } }
plans: { default: { limits: [] }, hasOwnProperty: { limits: [] } }
routes: [{ name: valueOf, match: { path: /__proto__/constructor } }]
`;
    const { policy, errors } = checkPolicyText(text);
    expect(errors).toEqual([]);
    expect(policy?.credentials.map(({ name }) => name)).toEqual(['toString']);
    expect(policy?.plans.has('hasOwnProperty')).toBe(true);
    expect(errorsOf('version: 1\nroutes: []\nconstructor: 1\n')).toEqual([
      '3:1: "constructor" cannot be a name; choose another.',
    ]);
    expect(Reflect.get({}, 'limits')).toBeUndefined();
  });

  it('more faults than anybody reads: the first are told, and how many follow', () => {
    const errors = errorsOf(
      `version: 1\nroutes: []\n${Array.from({ length: 1_000 }, (_, index) => `x${index}: 1\n`).join(
        '',
      )}`,
    );
    expect(errors).toHaveLength(201);
    expect(errors[0]).toMatch(/^3:1 x0: unknown field/);
    expect(errors[200]).toBe('203:1: 800 more from here on; mend those above first.');
  });

  it('a name as long as the file is not told in full', () => {
    const [error = ''] = errorsOf(`version: 1\nroutes: []\n"${'x'.repeat(900_000)}": 1\n`);
    expect(error.length).toBeLessThan(2_000);
  });

  it('a file with a byte order mark, or with Windows line ends, is read as any other', () => {
    expect(errorsOf('\ufeffversion: 1\nroutes: []\n')).toEqual([]);
    expect(errorsOf('version: 1\r\nroutes: []\r\nplan: 1\r\n')).toEqual([
      expect.stringMatching(/^3:1 plan: unknown field\./),
    ]);
  });
});
