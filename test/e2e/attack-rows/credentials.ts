import {
  AMBIGUOUS,
  type AttackRow,
  apiKey,
  asReader,
  authorization,
  BAD_PATH,
  bearer,
  CHECKSUM,
  cookie,
  FOREIGN,
  MALFORMED,
  NO_KEY,
  PASSES,
  READER,
  read,
  refusedByEnvoy,
  TOO_LARGE,
  WRITER,
} from '../../support/e2e-attack.ts';
import { basic } from '../../support/e2e-credentials.ts';

const twoAuthorizations: AttackRow = {
  title: '3: two Authorization headers',
  attacks: [
    ['two keys', read(bearer(READER), bearer(WRITER)), AMBIGUOUS],
    ['the same key twice', read(bearer(READER), bearer(READER)), AMBIGUOUS],
    ['two schemes', read(bearer(READER), authorization(basic(`${READER}:`))), AMBIGUOUS],
    ['joined', read(authorization(`Bearer ${READER},Bearer ${WRITER}`)), AMBIGUOUS],
    ['joined, with a blank', read(authorization(`Bearer ${READER}, Bearer x`)), AMBIGUOUS],
    ['a comma in front', read(authorization(`,Bearer ${READER}`)), AMBIGUOUS],
    [
      'one of them empty, which Envoy makes one of',
      read(authorization(''), bearer(READER)),
      { check: AMBIGUOUS, bare: PASSES, reference: PASSES },
    ],
  ],
};

const twoKeyHeaders: AttackRow = {
  title: '4: two X-API-Key',
  attacks: [
    ['two keys', read(apiKey(READER), apiKey(WRITER)), AMBIGUOUS],
    ['the same key twice', read(apiKey(READER), apiKey(READER)), AMBIGUOUS],
    ['a,b', read(apiKey(`${READER},${WRITER}`)), AMBIGUOUS],
    ['a, a', read(apiKey(`${READER}, ${READER}`)), AMBIGUOUS],
    ['one of them empty', read(apiKey(''), apiKey(READER)), AMBIGUOUS],
    ['a comma at the end', read(apiKey(`${READER},`)), AMBIGUOUS],
  ],
};

const queried = (...headers: readonly (readonly [string, string])[]) => ({
  path: `/v1/read?api_key=${READER}`,
  headers,
});

const twoPlaces: AttackRow = {
  title: '5: credentials in two places',
  attacks: [
    ['Bearer and X-API-Key', read(bearer(READER), apiKey(WRITER)), AMBIGUOUS],
    ['with the same key', read(bearer(READER), apiKey(READER)), AMBIGUOUS],
    ['Bearer and query', queried(bearer(READER)), AMBIGUOUS],
    ['Basic and query', queried(authorization(basic(`${READER}:`))), AMBIGUOUS],
    ['a good one and a bad one', read(bearer(READER), apiKey('x')), AMBIGUOUS],
    ['an empty parameter', asReader('/v1/read?api_key='), AMBIGUOUS],
    ['all', queried(bearer(READER), apiKey(READER), cookie(`sid=${READER}`)), AMBIGUOUS],
    ['a good header beside a cookie', read(bearer(READER), cookie('sid=x')), PASSES],
    [
      'a bad header, which never falls back to a good cookie',
      read(bearer('x'), cookie(`sid=${READER}`)),
      FOREIGN,
    ],
  ],
};

const goodCookie = cookie(`sid=${READER}`);

const emptyCredentials: AttackRow = {
  title: '6: a credential that says nothing',
  attacks: [
    ['empty', read(authorization('')), MALFORMED],
    ['a scheme alone', read(authorization('Bearer')), MALFORMED],
    ['a scheme and blanks', read(authorization('Bearer  ')), MALFORMED],
    ['a tab for the blank', read(authorization(`Bearer\t${READER}`)), MALFORMED],
    ['an unknown scheme', read(authorization(`Digest ${READER}`)), MALFORMED],
    ['a scheme in small letters', read(authorization(`bearer ${READER}`)), PASSES],
    ['capitals and blanks', read(authorization(`BEARER   ${READER}`)), PASSES],
    ['empty, beside a good cookie', read(authorization(''), goodCookie), MALFORMED],
    ['a scheme alone, beside a good cookie', read(authorization('Basic'), goodCookie), MALFORMED],
    ['an empty X-API-Key, beside a good cookie', read(apiKey(''), goodCookie), MALFORMED],
    [
      'an empty parameter, beside a good cookie',
      { path: '/v1/read?api_key=', headers: [goodCookie] },
      MALFORMED,
    ],
  ],
};

/** Begins like the keys of another vendor, which are looked up. */
const odd = (length: number): string => `odd${'x'.repeat(length - 3)}`;

const lengths: AttackRow = {
  title: '7: keys of any length',
  attacks: [
    ['1 byte', read(bearer('x')), FOREIGN],
    ['255 bytes', read(apiKey('x'.repeat(255))), FOREIGN],
    ['512 bytes, which could be a key', read(apiKey(odd(512))), 'latchkey 401 key_unknown'],
    ['513 bytes', read(apiKey(odd(513))), NO_KEY],
    ['8 KiB', read(bearer(odd(8192))), MALFORMED],
    ['8 KiB in the query', { path: `/v1/read?api_key=${odd(8192)}` }, NO_KEY],
    [
      '58 KiB',
      read(bearer(odd(58 * 1024))),
      { check: MALFORMED, bare: MALFORMED, reference: TOO_LARGE },
    ],
    [
      '60 KiB',
      read(apiKey(odd(60 * 1024))),
      { check: NO_KEY, bare: TOO_LARGE, reference: TOO_LARGE },
    ],
  ],
};

const ENCODED = Buffer.from(`${READER}:`).toString('base64');
/** With something in its middle. */
const broken = (text: string): string => `${ENCODED.slice(0, 8)}${text}${ENCODED.slice(8)}`;
const encoded = (text: string) => read(authorization(`Basic ${text}`));

/** The last character before `==` has four bits that no byte holds; they have to be 0. */
const withOtherBits = (text: string): string =>
  text.replace(/.(?===$)/, (last) => String.fromCharCode(last.charCodeAt(0) + 1));

const looseBase64: AttackRow = {
  title: '8: base64 that lenient decoders take',
  attacks: [
    ['as it should be', encoded(ENCODED), PASSES],
    ['other characters in between', encoded(broken('!*')), MALFORMED],
    ['a blank in between', encoded(broken(' ')), MALFORMED],
    ['a line break in between', encoded(broken('\n')), refusedByEnvoy(MALFORMED)],
    ['no padding', encoded(ENCODED.replace(/=+$/, '')), MALFORMED],
    ['too much padding', encoded(`${ENCODED}====`), MALFORMED],
    ['more after it', encoded(`${ENCODED}AAAA`), MALFORMED],
    ['a word after it', encoded(`${ENCODED} x`), MALFORMED],
    ['bits beyond the last byte', encoded(withOtherBits(ENCODED)), MALFORMED],
    ['characters of base64url', encoded('b2Rk-_-_'), MALFORMED],
    ['characters of no base64', encoded('dXNl!!!cjpw*YXNz'), MALFORMED],
  ],
};

const pair = (text: string) => read(authorization(basic(text)));

const strangeBasic: AttackRow = {
  title: '9: Basic with bytes that are no text',
  attacks: [
    ['no UTF-8', pair('\xff\xfe:'), NO_KEY],
    ['an overlong form', pair('\xc0\xaf:'), NO_KEY],
    ['a byte order mark', pair(`\xef\xbb\xbf${READER}:`), NO_KEY],
    ['CR', pair(`${READER}\r:`), NO_KEY],
    ['LF', pair(`${READER}\n:`), NO_KEY],
    ['NUL', pair(`${READER}\0:`), NO_KEY],
    ['DEL', pair(`${READER}\x7f:`), NO_KEY],
    ['no colon', pair(READER), MALFORMED],
    ['many colons', pair(`${READER}:::`), MALFORMED],
    ['a password', pair(`${READER}:secret`), MALFORMED],
    ['the key as password of nobody', pair(`:${READER}`), MALFORMED],
    ['both empty', pair(':'), MALFORMED],
    ['nothing', pair(''), MALFORMED],
  ],
};

const strangeBytes: AttackRow = {
  title: '10: bytes that are no UTF-8, anywhere',
  attacks: [
    ['in other headers', read(bearer(READER), ['x-a', '\xff\xfe'], ['x-b', '\x80']), PASSES],
    ['in User-Agent', read(bearer(READER), ['user-agent', '\xc3\x28']), PASSES],
    ['in another cookie', read(bearer(READER), cookie('a=\xff')), PASSES],
    // In the map, Envoy has put a "!" in its place.
    ['after the key', read(apiKey(`${READER}\xff`)), { raw: NO_KEY, map: CHECKSUM }],
    ['in the query', asReader('/v1/read?a=\xff'), refusedByEnvoy(PASSES)],
    ['in the path', asReader('/v1/\xff'), refusedByEnvoy(BAD_PATH)],
    [
      'in the host',
      { ...asReader('/v1/read'), host: 'a\xff' },
      refusedByEnvoy('latchkey 400 host_malformed'),
    ],
  ],
};

/** Rows 3 to 10: how a credential can be written. */
export const CREDENTIAL_ROWS: readonly AttackRow[] = [
  twoAuthorizations,
  twoKeyHeaders,
  twoPlaces,
  emptyCredentials,
  lengths,
  looseBase64,
  strangeBasic,
  strangeBytes,
];
