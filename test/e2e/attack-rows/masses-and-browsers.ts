import {
  AMBIGUOUS,
  type Attack,
  type AttackRow,
  bearer,
  CHECKSUM,
  CROSS_SITE,
  cookie,
  ENVOY,
  type Expected,
  FOREIGN,
  MALFORMED,
  MISSING,
  NO_KEY,
  PASSES,
  READER,
  read,
  TOO_LARGE,
  WRITER,
} from '../../support/e2e-attack.ts';

const many = (count: number) =>
  read(
    bearer(READER),
    ...Array.from({ length: count - 1 }, (_, index) => [`x-${index}`, '1'] as const),
  );
const COOKIES = Array.from({ length: 5000 }, (_, index) => `c${index}=1`).join('; ');

const masses: AttackRow = {
  title: '19: many headers, long headers, names that JavaScript knows',
  attacks: [
    ['85 headers', many(85), PASSES],
    [
      // Those that Envoy and latchkey add make it more than Envoy passes on.
      '97 headers',
      many(97),
      { check: PASSES, bare: 'envoy 500', reference: 'envoy 500' },
    ],
    ['101 headers', many(101), { check: PASSES, bare: TOO_LARGE, reference: TOO_LARGE }],
    ['1000 headers', many(1000), { check: PASSES, bare: TOO_LARGE, reference: TOO_LARGE }],
    [
      'a header of 56 KiB',
      read(bearer(READER), ['x', 'x'.repeat(56 * 1024)]),
      { check: PASSES, bare: PASSES, reference: TOO_LARGE },
    ],
    [
      'a header of 60 KiB',
      read(bearer(READER), ['x', 'x'.repeat(60 * 1024)]),
      { check: PASSES, bare: TOO_LARGE, reference: TOO_LARGE },
    ],
    [
      '5000 cookies, the last of which is the key',
      read(cookie(`${COOKIES}; sid=${READER}`)),
      { check: PASSES, bare: PASSES, reference: TOO_LARGE },
    ],
    [
      'headers named __proto__, constructor and toString',
      read(bearer(READER), ['__proto__', 'x'], ['constructor', 'x'], ['toString', 'x']),
      // An underscore.
      { check: PASSES, bare: PASSES, reference: ENVOY },
    ],
    ['cookies of these names', read(cookie(`__proto__=1; toString=2; sid=${READER}`)), PASSES],
    ['parameters', { path: `/v1/read?__proto__=1&constructor&api_key=${READER}` }, PASSES],
  ],
};

const ESCAPED = 'latchkey 400 credential_escaped';

const query = ([text, expected]: readonly [string, Expected]): Attack => [
  text,
  { path: `/v1/read?${text.replaceAll('KEY', READER)}` },
  expected,
];

const queries: AttackRow = {
  title: '20: spellings of the query parameter',
  attacks: (
    [
      ['api_key=KEY', PASSES],
      ['&&a=1&api_key=KEY&', PASSES],
      ['api_key=KEY&x=%zz', PASSES],
      ['%zz=1&api_key=KEY', PASSES],
      ['api_key=KEY&api_key=KEY', AMBIGUOUS],
      ['api_key=KEY&api_key=', AMBIGUOUS],
      ['api%5Fkey=KEY&api_key=KEY', AMBIGUOUS],
      ['api%5Fkey=KEY', ESCAPED],
      ['%61pi_key=KEY', ESCAPED],
      ['API_KEY=KEY', MISSING],
      ['api_key[]=KEY', MISSING],
      ['x=1;api_key=KEY', MISSING],
      ['?api_key=KEY', MISSING],
      ['api_key=KEY;x=1', CHECKSUM],
      ['api_key=%2BKEY', FOREIGN],
      ['api_key=+KEY', NO_KEY],
      ['api_key=KEY%20', NO_KEY],
      ['api_key=KEY%00', NO_KEY],
      ['api_key=KEY%2', MALFORMED],
      ['api_key', MALFORMED],
    ] as const
  ).map(query),
};

const inCookie = ([text, expected]: readonly [string, Expected]): Attack => [
  text.slice(0, 40),
  read(cookie(text.replaceAll('KEY', READER))),
  expected,
];

const cookies: AttackRow = {
  title: '21: spellings of the cookie',
  attacks: [
    ...(
      [
        ['a=1; sid=KEY; b=2', PASSES],
        ['sid=KEY; sid=KEY', AMBIGUOUS],
        ['sid=KEY; sid =x', AMBIGUOUS],
        ['sid=KEY; sid=', AMBIGUOUS],
        ['sid="KEY"', NO_KEY],
        [`sid=${'x'.repeat(5000)}`, NO_KEY],
        ['sid=KEY=', CHECKSUM],
        ['__Host-sid=KEY', MISSING],
        ['SID=KEY', MISSING],
        ['$sid=KEY', MISSING],
        ['sid', MISSING],
        ['sid=', MALFORMED],
      ] as const
    ).map(inCookie),
    [
      // Joined by a comma, the two are one that is no key.
      'two lines, both with the key',
      read(cookie(`sid=${READER}`), cookie(`sid=${READER}`)),
      { raw: AMBIGUOUS, map: NO_KEY },
    ],
    [
      'two lines, one with the key',
      read(cookie('a=1'), cookie(`sid=${READER}`)),
      { raw: PASSES, map: MISSING },
    ],
  ],
};

type Header = readonly [name: string, value: string];

const post = (...headers: readonly Header[]) => ({
  path: '/v1/write',
  method: 'POST',
  headers: [cookie(`sid=${WRITER}`), ...headers],
});
const site = (value: string): Header => ['sec-fetch-site', value];
const origin = (value: string): Header => ['origin', value];
const UPGRADE: readonly Header[] = [
  ['connection', 'upgrade'],
  ['upgrade', 'websocket'],
];

const otherSites: AttackRow = {
  title: '22: a cookie on a request that another site makes the browser send',
  attacks: [
    ['no browser', post(), PASSES],
    ['same-origin', post(site('same-origin')), PASSES],
    ['none', post(site('none')), PASSES],
    ['cross-site', post(site('cross-site')), CROSS_SITE],
    ['same-site', post(site('same-site')), CROSS_SITE],
    ['an unknown word', post(site('Same-Origin')), CROSS_SITE],
    ['an empty word', post(site('')), CROSS_SITE],
    ['two words', post(site('same-origin'), site('cross-site')), CROSS_SITE],
    ['a public origin', post(origin('https://app.example.com')), PASSES],
    ['the origin null', post(origin('null')), CROSS_SITE],
    ['a strange origin', post(origin('https://evil.example')), CROSS_SITE],
    ['a public name without TLS', post(origin('http://app.example.com')), CROSS_SITE],
    ['a dot at the end', post(origin('https://app.example.com.')), CROSS_SITE],
    [
      'two origins',
      post(origin('https://app.example.com'), origin('https://evil.example')),
      CROSS_SITE,
    ],
    ['an upgrade', read(cookie(`sid=${READER}`), site('cross-site'), ...UPGRADE), CROSS_SITE],
    ['a link, which changes nothing', read(cookie(`sid=${READER}`), site('cross-site')), PASSES],
    [
      'a credential in a header, which no page can make a browser send',
      { path: '/v1/write', method: 'POST', headers: [bearer(WRITER), site('cross-site')] },
      PASSES,
    ],
  ],
};

/** Rows 19 to 22. */
export const MASS_AND_BROWSER_ROWS: readonly AttackRow[] = [masses, queries, cookies, otherSites];
