import { describe, expect, it } from 'vitest';
import { memoryOf, policyOf, subject, tell, verdict } from '../../support/story.ts';

const policy = policyOf(`
version: 1
credentials: { bearer: { type: bearer } }
key_format: { also_accept: [k_] }
routes:
  - { name: read, match: { path: /scans, methods: [GET] }, scopes: [read] }
  - { name: write, match: { path: /scans, methods: [POST, DELETE] }, scopes: [write] }
  - { name: hidden, match: { path: /hidden, methods: [POST] }, scopes: [read], hide: true }
  - { name: usual, match: { path: /usual }, scopes: [read] }
`);
const memory = memoryOf(policy, { k_reader: subject({ scopes: ['read'] }) });

function ask(ruleName: string, method: string) {
  const headers = { authorization: 'Bearer k_reader' };
  return tell({ policy, memory }, { path: '/elsewhere', method, ruleName, headers });
}

describe('a rule that Envoy’s route names answers its own methods only', () => {
  it.each([
    ['read', 'GET', '200'],
    ['read', 'HEAD', '200'],
    ['read', 'POST', '405 method_not_allowed'],
    ['read', 'DELETE', '405 method_not_allowed'],
    ['read', 'CONNECT', '405 method_not_allowed'],
    ['write', 'GET', '405 method_not_allowed'],
    ['write', 'DELETE', '403 scope_missing'],
    ['usual', 'PATCH', '200'],
    ['usual', 'TRACE', '405 method_not_allowed'],
    ['hidden', 'POST', '200'],
    ['hidden', 'GET', '404 method_not_allowed'],
  ])('%s %s → %s', (ruleName, method, expected) => {
    expect(verdict(ask(ruleName, method))).toBe(expected);
  });

  it('and says which', () => {
    const outcome = ask('read', 'PUT');
    if (outcome.kind !== 'decided' || outcome.answer.kind !== 'denied') throw new Error('denied');
    expect(outcome.answer.headers).toContainEqual({ name: 'allow', value: 'GET, HEAD' });
  });
});
