import { describe, expect, it } from 'vitest';
import { checkPolicyText } from '../../../src/policy/check-policy.ts';
import { formatProblem } from '../../../src/policy/problem.ts';

const ROUTES = 'routes: [{ name: a, match: { path: /a } }]\n';
const BASE = `version: 1\ncredentials: { bearer: { type: bearer } }\n`;
const PLANS = 'plans: { default: { limits: [] } }\n';

function warningsOf(sections: string, base = BASE): string[] {
  const { warnings, errors } = checkPolicyText(base + sections);
  expect(errors).toEqual([]);
  return warnings.map(formatProblem);
}

describe('warnings', () => {
  it.each<[title: string, sections: string, warning: string]>([
    [
      'no default plan',
      ROUTES,
      '1:1 plans: there is no plan named "default": keys without a plan of their own have no limits.',
    ],
    [
      'a scope that nothing else mentions',
      `${PLANS}scopes: { admin: { implies: [read] } }\nroutes: [{ name: a, match: { path: /a }, scopes: [reed] }]\n`,
      '5:50 routes[0].scopes: nothing else in the file mentions the scope "reed"; declare it under scopes if it is meant. Did you mean "read"?',
    ],
    [
      'an outage that can be turned into an allow',
      `${PLANS}outage: grpc_error\n${ROUTES}`,
      "4:9 outage: Envoy's failure_mode_allow turns grpc_error into an allow; with outage: denied nothing does.",
    ],
    [
      'no routes',
      `${PLANS}routes: []\n`,
      '4:9 routes: there is no route: every request is refused.',
    ],
  ])('%s', (_title, sections, warning) => {
    expect(warningsOf(sections)).toEqual([warning]);
  });

  it.each<[title: string, credential: string, warning: string]>([
    [
      'live keys in query strings',
      'type: api_key, in: query, name: api_key',
      '2:21 credentials.key: addresses are logged and shared, and a key in a query string with them; consider environments: [test].',
    ],
    [
      'a header name with an underscore',
      'type: api_key, in: header, name: X_API_Key',
      '2:56 credentials.key.name: Envoy is best set to refuse header names with "_"; prefer "-".',
    ],
  ])('%s', (_title, credential, warning) => {
    const base = `version: 1\ncredentials: { key: { ${credential} } }\n`;
    expect(warningsOf(PLANS + ROUTES, base)).toEqual([warning]);
  });

  it('none for scopes where the file declares none', () => {
    expect(
      warningsOf(`${PLANS}routes: [{ name: a, match: { path: /a }, scopes: [read] }]\n`),
    ).toEqual([]);
  });
});
