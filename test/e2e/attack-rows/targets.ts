import {
  type Attack,
  type AttackRow,
  asReader,
  BAD_PATH,
  bearer,
  ENVOY,
  type Expected,
  MISSING,
  NO_SCOPE,
  NOT_FOUND,
  PASSES,
  READER,
  refusedByEnvoy,
} from '../../support/e2e-attack.ts';
import type { Verdict } from '../../support/e2e-ways.ts';

/** The reference configuration makes one path of all spellings, and then the rule applies; elsewhere latchkey refuses. */
const normalised = (reference: Verdict): Expected => ({
  check: BAD_PATH,
  bare: BAD_PATH,
  reference,
});
const refusedByReference = normalised(ENVOY);
const refused = refusedByEnvoy(BAD_PATH);

const path = ([text, expected]: readonly [string, Expected]): Attack => [
  JSON.stringify(text),
  asReader(text),
  expected,
];

const slashesAndDots: AttackRow = {
  title: '11: slashes and dots do not lead past the rule of /v1/admin',
  attacks: (
    [
      ['/v1/admin', NO_SCOPE],
      ['//v1/admin', normalised(NO_SCOPE)],
      ['/v1//admin', normalised(NO_SCOPE)],
      ['///v1/none/../admin', normalised(NO_SCOPE)],
      ['/v1/./admin', normalised(NO_SCOPE)],
      ['/v1/none/../admin', normalised(NO_SCOPE)],
      ['/v1/none/x/../../admin', normalised(NO_SCOPE)],
      ['/../../v1/admin', normalised(NO_SCOPE)],
      // Envoy makes `//` of it: one slash for its start and one for its end.
      ['///', BAD_PATH],
    ] as const
  ).map(path),
};

const escapes: AttackRow = {
  title: '12: nor do escapes',
  attacks: (
    [
      ['/v1/%61dmin', NO_SCOPE],
      ['/v1/none/%2e%2e/admin', normalised(NO_SCOPE)],
      ['/v1/none/.%2E/admin', normalised(NO_SCOPE)],
      ['/%2e/v1/admin', normalised(NO_SCOPE)],
      ['/v1/none\\..\\admin', normalised(NO_SCOPE)],
      ['/v1/none%2f..%2fadmin', refusedByReference],
      ['/v1/none%2Fadmin', refusedByReference],
      ['/v1/none%5c..%5cadmin', refusedByReference],
      ['/v1/none/%00', refusedByReference],
      ['/v1/admin%00', refusedByReference],
      ['/v1/%2561dmin', BAD_PATH],
      ['/v1/none/%252e%252e/admin', BAD_PATH],
      ['/v1/none/%25%32%65', BAD_PATH],
      ['/v1/none/%zz', BAD_PATH],
      ['/v1/none/%', BAD_PATH],
      ['/v1/none/%2', BAD_PATH],
      ['/v1/none/%u002e', BAD_PATH],
      ['/v1/none/%c0%af', BAD_PATH],
      ['/v1/none/%c0%ae%c0%ae/admin', BAD_PATH],
      ['/v1/none/%ff', BAD_PATH],
      ['/v1/admin%3fx', NOT_FOUND],
      ['/v1/admin%23', NOT_FOUND],
    ] as const
  ).map(path),
};

const parameters: AttackRow = {
  title: '13: nor do path parameters',
  attacks: (
    [
      ['/v1/admin;x=1', BAD_PATH],
      ['/v1/none/;x', BAD_PATH],
      ['/v1/none/%3bx', BAD_PATH],
      ['/v1/admin;/..', normalised(NOT_FOUND)],
      ['/v1/none;/../admin', normalised(NO_SCOPE)],
      ['/v1/none/..;/admin', normalised(NO_SCOPE)],
    ] as const
  ).map(path),
};

const otherForms: AttackRow = {
  title: '14: nor do other forms of a target',
  attacks: (
    [
      ['/V1/Admin', NOT_FOUND],
      ['/v1/admin.', NOT_FOUND],
      ['/v1/read/', NOT_FOUND],
      ['/v1/admin/', NO_SCOPE],
      ['/v1/admin?x', NO_SCOPE],
      ['/v1/admin?', NO_SCOPE],
      ['/v1/admin?/../none', NO_SCOPE],
      ['/v1/admin#x', refused],
      ['/v1/none#/../admin', refused],
      ['/v1/none/\x01', refused],
      ['/v1/none/a b', refused],
      ['http://localhost/v1/admin', { check: BAD_PATH, bare: NO_SCOPE, reference: NO_SCOPE }],
      ['http://open.example.com/hosted', { check: BAD_PATH, bare: PASSES, reference: PASSES }],
      ['*', refused],
      ['v1/read', refused],
      ['', refusedByEnvoy('latchkey 400 check_request_malformed')],
    ] as const
  ).map(path),
};

const method = (name: string, target = '/v1/read') => ({ ...asReader(target), method: name });
const NOT_ALLOWED = 'latchkey 405 method_not_allowed';
const NO_METHOD = 'latchkey 400 method_malformed';

const methods: AttackRow = {
  title: '16: a method that no rule names',
  attacks: [
    ['get', method('get'), refusedByEnvoy(NOT_ALLOWED)],
    ['GETX', method('GETX'), refusedByEnvoy(NOT_ALLOWED)],
    ['CONNECT', method('CONNECT'), refusedByEnvoy(NOT_ALLOWED)],
    ['no token', method('G@T'), refusedByEnvoy(NO_METHOD)],
    ['33 letters', method('X'.repeat(33)), refusedByEnvoy(NO_METHOD)],
    ['TRACE', method('TRACE'), NOT_ALLOWED],
    ['PROPFIND', method('PROPFIND'), NOT_ALLOWED],
    ['POST on a rule for GET', method('POST'), NOT_ALLOWED],
    ['a preflight that no rule admits', method('OPTIONS'), NOT_ALLOWED],
    ['a preflight that a rule admits', method('OPTIONS', '/v1/preflight'), PASSES],
    [
      'another one in a header and a parameter',
      {
        path: '/v1/items/1?_method=GET',
        method: 'PATCH',
        headers: [bearer(READER), ['x-http-method-override', 'GET'], ['x-method-override', 'GET']],
      },
      NOT_ALLOWED,
    ],
  ],
};

const hosted = (host: string) => ({ path: '/hosted', host });
const NO_HOST = 'latchkey 400 host_malformed';

const hosts: AttackRow = {
  title: '17: spellings of a host, one of which is open to all',
  attacks: [
    ['small letters', hosted('open.example.com'), PASSES],
    ['capitals', hosted('OPEN.Example.COM'), PASSES],
    ['a port', hosted('open.example.com:8080'), PASSES],
    ['a dot at the end', hosted('open.example.com.'), PASSES],
    ['both', hosted('open.example.com.:80'), PASSES],
    ['another name', hosted('admin.example.com'), MISSING],
    ['a name below', hosted('x.open.example.com'), MISSING],
    ['the parent', hosted('example.com'), NOT_FOUND],
    ['two dots', hosted('open.example.com..'), NOT_FOUND],
    ['a user in front', hosted('open.example.com@admin.example.com'), NO_HOST],
    ['a list', hosted('open.example.com,admin.example.com'), NO_HOST],
    ['half an address', hosted('[::1'), NO_HOST],
    ['a slash', hosted('open.example.com/'), refusedByEnvoy(NO_HOST)],
  ],
};

/** Rows 11 to 17: what a request is about. */
export const TARGET_ROWS: readonly AttackRow[] = [
  slashesAndDots,
  escapes,
  parameters,
  otherForms,
  methods,
  hosts,
];
