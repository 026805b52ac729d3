import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { digestKey } from '../../../src/key-text/digest.ts';
import { DEFAULT_KEY_FORMAT, type KeyFormat } from '../../../src/key-text/key-format.ts';
import { mintKey } from '../../../src/key-text/mint.ts';
import { checkPolicyText } from '../../../src/policy/check-policy.ts';

const ours = mintKey(DEFAULT_KEY_FORMAT, 'live', randomBytes).text;
const mistyped = `${ours.slice(0, 20)}${ours[20] === 'A' ? 'B' : 'A'}${ours.slice(21)}`;
const oldFormat: KeyFormat = { prefix: 'old', separator: '_', environments: ['live'] };
const older = mintKey(oldFormat, 'live', randomBytes).text;
const foreign = 'vendor-key-without-checksum';

function readKey(keyFormat: string) {
  const { policy } = checkPolicyText(`version: 1\nkey_format: ${keyFormat}\nroutes: []\n`);
  if (policy === undefined) throw new Error('the policy of this test must compile');
  return policy.readKey;
}

const lookup = (text: string) => ({ kind: 'lookup', digest: digestKey(text) });
const refused = (reason: string) => ({ kind: 'refused', reason });

describe('only a text that could be a key costs a lookup', () => {
  it.each<[keyFormat: string, text: string, expected: object]>([
    ['{}', ours, lookup(ours)],
    ['{}', mistyped, refused('key_checksum')],
    ['{}', ours.slice(0, 30), refused('key_checksum')],
    ['{}', older, refused('key_foreign')],
    ['{}', foreign, refused('key_foreign')],
    ['{}', '', refused('key_malformed')],
    ['{}', 'two words', refused('key_malformed')],
    ['{}', 'x'.repeat(513), refused('key_malformed')],
    ['{ also_accept: [old_, ven] }', older, lookup(older)],
    ['{ also_accept: [old_, ven] }', foreign, lookup(foreign)],
    ['{ also_accept: [old_, ven] }', `x${foreign}`, refused('key_foreign')],
    ['{ also_accept: [old_, ven] }', mistyped, refused('key_checksum')],
    ['{ also_accept: [old_, ven] }', 'ven,dor', refused('key_malformed')],
    ['{ also_accept: [lk_live_] }', mistyped, lookup(mistyped)],
    ['{ also_accept: [lk_live_] }', ours, lookup(ours)],
    ['{ accept_foreign: true }', foreign, lookup(foreign)],
    ['{ accept_foreign: true }', mistyped, lookup(mistyped)],
    ['{ accept_foreign: true }', ours, lookup(ours)],
    ['{ accept_foreign: true }', 'x'.repeat(513), refused('key_malformed')],
    ['{ prefix: old, environments: [live] }', older, lookup(older)],
    ['{ prefix: old, environments: [live] }', ours, refused('key_foreign')],
  ])('key_format %s: %s', (keyFormat, text, expected) => {
    expect(readKey(keyFormat)(text)).toEqual(expected);
  });
});
