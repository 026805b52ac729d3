import { describe, expect, it } from 'vitest';
import { parseImportLine } from '../../../src/cli/import-line.ts';

const SECRET = 'cpx_live_TopSecretKeyText0123456789';

describe('a line of a file of keys', () => {
  it('needs an organization, a name, and the key by its text', () => {
    expect(parseImportLine(`{"org":"acme","name":"ci","text":"${SECRET}"}`)).toEqual({
      ...{ organization: 'acme', owner: null, name: 'ci', environment: 'live', scopes: [] },
      ...{ plan: null, allowedCidrs: [], metadata: {}, expiresAtMs: null },
      secret: { by: 'text', text: SECRET },
    });
  });

  it('may say everything else', () => {
    const line = {
      ...{ org: 'acme', name: 'ci', sha256: 'ab'.repeat(32), owner: 'dana@example.com' },
      ...{ environment: 'test', scopes: ['read'], plan: 'big', cidrs: ['192.0.2.0/24'] },
      ...{ expires: '2027-01-31T02:00:00+02:00', metadata: { team: { id: 7 } } },
    };
    expect(parseImportLine(JSON.stringify(line))).toEqual({
      ...{ organization: 'acme', owner: 'dana@example.com', name: 'ci', environment: 'test' },
      ...{ scopes: ['read'], plan: 'big', allowedCidrs: ['192.0.2.0/24'] },
      ...{ metadata: { team: { id: 7 } }, expiresAtMs: Date.UTC(2027, 0, 31) },
      secret: { by: 'sha256', hex: 'ab'.repeat(32) },
    });
  });

  it.each([
    ['no JSON', SECRET, 'not JSON'],
    ['JSON that breaks off', `{"org":"acme","text":"${SECRET}`, 'not JSON'],
    ['the bare text', JSON.stringify(SECRET), 'expected object'],
    ['a list', JSON.stringify([SECRET]), 'expected object'],
    [
      'a key as the name of a field',
      `{"org":"a","name":"n","text":"x","${SECRET}":1}`,
      'a field that is not known; those there are: org, name, text, sha256',
    ],
    [
      'a key as the name of metadata',
      `{"org":"a","name":"n","text":"x","metadata":{"${SECRET}":{"a":{}}},"scopes":1}`,
      'scopes: ',
    ],
    [
      'a key as the environment',
      `{"org":"a","name":"n","text":"x","environment":"${SECRET}${SECRET}"}`,
      'environment: ',
    ],
    ['a key as the expiry', `{"org":"a","name":"n","text":"x","expires":"${SECRET}"}`, 'expires: '],
    [
      'two texts',
      `{"org":"a","name":"n","text":"${SECRET}","sha256":"${SECRET}"}`,
      'give either text or sha256',
    ],
    ['none', '{"org":"a","name":"n"}', 'give either text or sha256'],
    ['no organization', `{"name":"n","text":"${SECRET}"}`, 'org: '],
    ['a text that is no text', `{"org":"a","name":"n","text":["${SECRET}"]}`, 'text: '],
  ])('%s is told without a word of it', (_, line, problem) => {
    const parsed = parseImportLine(line);
    expect(parsed).toContain(problem);
    expect(parsed).not.toContain('TopSecret');
  });
});
