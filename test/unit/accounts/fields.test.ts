import { describe, expect, it } from 'vitest';
import {
  checkCidrs,
  checkEmail,
  checkExpiry,
  checkName,
  checkScopes,
} from '../../../src/accounts/fields.ts';

describe('a name', () => {
  it.each(['acme', 'Zoë & Söhne', '株式会社', "O'Brien", 'a'.repeat(200), '👩‍🚀 crew', '<b>x</b>'])(
    'may be %s',
    (name) => {
      expect(checkName(name, 'name')).toBeUndefined();
    },
  );

  it.each([
    ['', /blank/],
    ['   ', /blank/],
    ['\u00a0\u2003', /blank/],
    ['\u200b', /blank/],
    [' acme', /begins or ends/],
    ['acme\n', /begins or ends/],
    ['a'.repeat(201), /201 characters; at most 200/],
    ['a\0b', /control/],
    ['a\u001b[31mb', /control/],
    ['a\u007fb', /control/],
    ['a\u009b31mb', /control/],
    ['a\nb', /control/],
    ['a\u2028b', /control/],
    ['admin\u202etxt', /control/],
    ['a\u2066b', /control/],
  ])('%j is refused', (name, problem) => {
    expect(checkName(name, 'name of the key')).toMatchObject({
      kind: 'refused',
      reason: 'invalid',
      message: expect.stringMatching(problem),
    });
  });
});

describe('an e-mail address', () => {
  it.each([null, 'a@b', 'dana+keys@example.com', 'dana@münchen.example'])('may be %s', (email) => {
    expect(checkEmail(email)).toBeUndefined();
  });

  it.each([
    '',
    'dana',
    '@example.com',
    'dana@',
    'a@b@c',
    'a b@c',
    'a\0@b',
    'a\u001b@b',
    `${'a'.repeat(65)}@b`,
  ])('%j is refused', (email) => {
    expect(checkEmail(email)).toMatchObject({ reason: 'invalid' });
  });
});

describe('scopes', () => {
  it.each([[[]], [['read', 'a:b/c.d', '!#$']], [Array.from({ length: 64 }, (_, n) => `s${n}`)]])(
    'may be %j',
    (scopes) => {
      expect(checkScopes(scopes)).toBeUndefined();
    },
  );

  it.each([
    [[''], /not a scope/],
    [['a b'], /not a scope/],
    [['read', 'a"b'], /a\\"b/],
    [['a\\b'], /not a scope/],
    [['é'], /not a scope/],
    [['a\0'], /not a scope/],
    [['a'.repeat(129)], /not a scope/],
    [Array.from({ length: 65 }, (_, n) => `s${n}`), /65 scopes are too many; at most 64/],
  ])('%j are refused', (scopes, problem) => {
    expect(checkScopes(scopes)).toMatchObject({ message: expect.stringMatching(problem) });
  });
});

describe('address blocks', () => {
  it.each([[[]], [['203.0.113.0/24', '2001:db8::/32', '192.0.2.1/32']]])('may be %j', (cidrs) => {
    expect(checkCidrs(cidrs)).toBeUndefined();
  });

  it.each([
    [['203.0.113.7/24'], /203\.0\.113\.7\/24/],
    [['203.0.113.0/33'], /not an address block/],
    [['::/129'], /not an address block/],
    [['localhost'], /not an address block/],
    [[''], /not an address block/],
    [Array.from({ length: 65 }, () => '192.0.2.1/32'), /65 address blocks are too many/],
  ])('%j are refused', (cidrs, problem) => {
    expect(checkCidrs(cidrs)).toMatchObject({ message: expect.stringMatching(problem) });
  });
});

it.each([
  [null, false],
  [1_001, false],
  [1_000, true],
  [999, true],
])('a key that ends at %s is refused at 1000: %s', (expiresAtMs, isRefused) => {
  expect(checkExpiry(expiresAtMs, 1_000) !== undefined).toBe(isRefused);
});
