import { describe, expect, it } from 'vitest';
import { memoryOf, policyOf, subject, tell } from '../../support/story.ts';
import { wholeAllow } from '../../support/whole-answer.ts';

const policy = policyOf(`
version: 1
credentials: { bearer: { type: bearer } }
key_format: { also_accept: [k_] }
principal_headers: { id: X-User-Id, plan: x_plan, method: how }
routes:
  - { name: required, match: { path: /required } }
  - { name: optional, match: { path: /optional }, auth: optional }
  - { name: none, match: { path: /none }, auth: none }
  - { name: passing, match: { path: /passing }, pass_credential: true }
`);

/** What is taken from a request with these headers. */
function removed(path: string, headers: Record<string, string | readonly string[]>) {
  const memory = memoryOf(policy, { k_1: subject() });
  const all = path === '/none' ? headers : { ...headers, authorization: 'Bearer k_1' };
  const outcome = tell({ policy, memory }, { path, headers: all });
  if (outcome.kind !== 'decided' || outcome.answer.kind !== 'ok') throw new Error('must allow');
  return wholeAllow(outcome.answer);
}

/** Upstreams of CGI's kind read `x_user_id` as `x-user-id`, and Envoy by default lets it pass. */
describe('a client’s header that an upstream could take for a principal header is removed', () => {
  const forged = {
    x_user_id: 'evil',
    'x-user_id': ['evil', 'evil'],
    'x_user-id': '',
    'x-plan': 'evil',
    x_principal_organization: 'evil',
    'x-credential_id': 'evil',
  };
  it.each([['/required'], ['/optional'], ['/none'], ['/passing']])('%s', (path) => {
    const { removeRequestHeaders } = removed(path, forged);
    expect(removeRequestHeaders).toEqual(expect.arrayContaining(Object.keys(forged)));
  });

  it('and nothing else is, nor anything that did not come', () => {
    const { removeRequestHeaders } = removed('/required', { x_user: 'mine', 'x-user-ids': 'mine' });
    const spellings = Object.keys(forged);
    expect(removeRequestHeaders.filter((name) => spellings.includes(name))).toEqual([]);
    expect(removeRequestHeaders).not.toContain('x_user');
    expect(removeRequestHeaders).not.toContain('x-user-ids');
  });

  it('but never a header that is set', () => {
    const { removeRequestHeaders, requestHeaders } = removed('/required', forged);
    const set = requestHeaders.map(({ name }) => name);
    expect(set).toContain('x_plan');
    expect(set.filter((name) => removeRequestHeaders.includes(name))).toEqual([]);
  });
});
