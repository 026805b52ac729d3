import { describe, expect, it } from 'vitest';
import { checkPolicyText } from '../../../src/policy/check-policy.ts';
import { formatProblem } from '../../../src/policy/problem.ts';

/** Warnings of a policy with a hidden route and another one. */
function warnings(hidden: string, other: string): string[] {
  const result = checkPolicyText(`version: 1
credentials: { bearer: { type: bearer } }
plans: { default: { limits: [] } }
routes:
  - { name: hidden, hide: true, match: ${hidden} }
  - { name: other, match: ${other} }
`);
  expect(result.errors).toEqual([]);
  return result.warnings.map(formatProblem);
}

describe('a hidden route that shows by the answers around it is warned of', () => {
  it('with its place, the other route, and what to do', () => {
    expect(warnings('{ path: /v1/private }', '{ path: /v1/** }')).toEqual([
      '5:27 routes[0].hide: route "other" (line 6) answers the paths around this one and is not hidden: a stranger gets another answer there than the 404 here, and so sees that something is here; hide that route too, or narrow its path.',
    ]);
  });

  it.each([
    ['{ path: /v1/private/** }', '{ path: /v1/** }'],
    ['{ path: /v1/private }', '{ path: /v1/private/** }'],
    ['{ path: /v1/private }', "{ path: '/v1/{any}' }"],
    ["{ path: '/v1/private/{id}' }", "{ path: '/v1/{any}/{id}' }"],
    ['{ path: /v1/private/** }', "{ path: '/v1/{any}/**' }"],
    ['{ path: /private, hosts: [a.example.com] }', '{ path: /** }'],
    ['{ path: /private, hosts: [a.example.com] }', "{ path: /**, hosts: ['*.example.com'] }"],
    ['{ path: /private, hosts: [a.example.com] }', '{ path: /**, hosts: [a.example.com] }'],
    ["{ path: /private, hosts: ['*.b.example.com'] }", "{ path: /**, hosts: ['*.example.com'] }"],
  ])('%s under %s', (hidden, other) => {
    expect(warnings(hidden, other)).toHaveLength(1);
  });

  it.each([
    ['{ path: /v1/private }', '{ path: /v1/public }'],
    ['{ path: /v1/private }', '{ path: /v1/private/x }'],
    ['{ path: /v1/private/** }', '{ path: /v1/private/x/** }'],
    ['{ path: /v1/private/** }', '{ path: /v2/** }'],
    ["{ path: '/v1/{any}' }", '{ path: /v1/me }'],
    ['{ path: /a, methods: [GET] }', '{ path: /a, methods: [PUT] }'],
    ['{ path: /a/**, methods: [GET] }', '{ path: /a/**, methods: [PUT] }'],
    ['{ path: /private, hosts: [a.example.com] }', '{ path: /**, hosts: [b.example.com] }'],
    ['{ path: /private }', '{ path: /**, hosts: [b.example.com] }'],
    ['{ path: /v1/ }', "{ path: '/v1/{any}' }"],
  ])('not %s beside %s', (hidden, other) => {
    expect(warnings(hidden, other)).toEqual([]);
  });
});
