import { describe, expect, it } from 'vitest';
import { DENIAL_REASONS, denialRow } from '../../../src/model/denials.ts';
import { checkPolicyText } from '../../../src/policy/check-policy.ts';
import { formatProblem } from '../../../src/policy/problem.ts';

const ROUTES = 'routes: [{ name: a, match: { path: /a } }]\n';
const BASE = `version: 1\ncredentials: { bearer: { type: bearer } }\n`;

function compiled(sections: string, base = BASE) {
  const { policy, errors } = checkPolicyText(base + sections);
  if (policy === undefined) throw new Error(errors.map(formatProblem).join('\n'));
  return policy;
}

describe('error templates', () => {
  const template = (body: string) => `errors: { format: template, ${body} }\n${ROUTES}`;

  it('keep the type of a placeholder that is a whole value, and write one within a text', () => {
    const { errors } = compiled(
      template(
        `content_type: application/vnd.example+json,
         default: { status: '{status}', text: '{title} ({{code}}: {code})', list: ['{required_scopes}', 1, true, null], plain: '{{}}', empty: '' }`,
      ),
    );
    expect(errors).toEqual({
      kind: 'template',
      contentType: 'application/vnd.example+json',
      byReason: new Map(),
      fallback: {
        kind: 'object',
        fields: [
          ['status', { kind: 'placeholder', name: 'status' }],
          [
            'text',
            {
              kind: 'text',
              parts: [{ name: 'title' }, ' (', '{', 'code', '}', ': ', { name: 'code' }, ')'],
            },
          ],
          [
            'list',
            {
              kind: 'array',
              items: [
                { kind: 'placeholder', name: 'required_scopes' },
                { kind: 'literal', value: 1 },
                { kind: 'literal', value: true },
                { kind: 'literal', value: null },
              ],
            },
          ],
          ['plain', { kind: 'literal', value: '{}' }],
          ['empty', { kind: 'literal', value: '' }],
        ],
      },
    });
  });

  it('for a code cover all of its reasons, and one for a reason wins over it', () => {
    const { errors } = compiled(
      template(
        `default: d, reasons: { credential_missing: own, credential_required: shared, invalid_credential: bad }`,
      ),
    );
    if (errors.kind !== 'template') throw new Error('expected a template');
    const literal = (value: string) => ({ kind: 'literal', value });
    expect(errors.byReason.get('credential_missing')).toEqual(literal('own'));
    expect(errors.byReason.get('credential_malformed')).toEqual(literal('shared'));
    expect(errors.byReason.get('scope_missing')).toBeUndefined();
    for (const reason of DENIAL_REASONS) {
      if (denialRow(reason).code !== 'invalid_credential') continue;
      expect(errors.byReason.get(reason), reason).toEqual(literal('bad'));
    }
  });

  it('cannot tell apart what clients must not be able to tell apart', () => {
    for (const reason of DENIAL_REASONS) {
      const row = denialRow(reason);
      const alike = DENIAL_REASONS.filter(
        (other) => denialRow(other).code === row.code && denialRow(other).text === row.text,
      );
      const { errors } = checkPolicyText(
        `${BASE}${template(`default: d, reasons: { ${reason}: own }`)}`,
      );
      expect(errors.length, reason).toBe(alike.length > 1 && reason !== row.code ? 1 : 0);
    }
  });
});
