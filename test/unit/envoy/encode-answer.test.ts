import { describe, expect, it } from 'vitest';
import { encodeAnswer } from '../../../src/envoy/encode-answer.ts';
import type { Answer, DeniedAnswer, OkAnswer, StandingAnswer } from '../../../src/model/answer.ts';
import { createResponseReader } from '../../support/answer-cases.ts';

const read = createResponseReader();

const standing = (changes: Partial<StandingAnswer> = {}): StandingAnswer => ({
  requestHeaders: [],
  removeRequestHeaders: [],
  metadata: [],
  encoded: undefined,
  ...changes,
});

const allow = (changes: Partial<OkAnswer> = {}): OkAnswer => ({
  kind: 'ok',
  standing: standing(),
  requestHeaders: [],
  removeRequestHeaders: [],
  removeQueryParameters: [],
  responseHeaders: [],
  metadata: [],
  ...changes,
});

const deny = (changes: Partial<DeniedAnswer> = {}): DeniedAnswer => ({
  kind: 'denied',
  code: 16,
  httpStatus: 401,
  headers: [],
  body: '',
  metadata: [],
  asError: false,
  ...changes,
});

const hex = (answer: Answer) => Buffer.from(encodeAnswer(answer)).toString('hex');

describe('the bytes', () => {
  it('of the smallest allow say that it is one: never empty, the code written out', () => {
    expect(hex(allow())).toBe('0a0208001a00');
  });

  it('of the smallest denial', () => {
    expect(hex(deny())).toBe('0a020810' + '1207' + '0a03089103' + '1a00');
  });

  it('of a header name overwriting twice: append present and false, append_action 2', () => {
    const header = '0a06' + '0a0161' + '120162';
    expect(hex(allow({ requestHeaders: [{ name: 'a', value: 'b' }] }))).toBe(
      `0a0208001a0e120c${header}12001802`,
    );
  });
});

describe('an allow', () => {
  it('says everything, in the order given', () => {
    const answer = allow({
      standing: standing({
        requestHeaders: [
          { name: 'x-principal-id', value: 'usr_1' },
          { name: 'x-principal-scopes', value: '' },
        ],
        removeRequestHeaders: ['x-principal-plan'],
        metadata: [['plan', 'default']],
      }),
      requestHeaders: [{ name: 'cookie', value: 'theme=dark' }],
      removeRequestHeaders: ['authorization', 'x-api-key'],
      removeQueryParameters: ['api_key', 'schlüssel'],
      responseHeaders: [
        { name: 'x-ratelimit-limit', value: '100' },
        { name: 'ratelimit', value: '"minute";r=99;t=1' },
      ],
      metadata: [
        ['decision_id', 'd1'],
        ['plan', 'default'],
        ['principal', 'Zoë'],
      ],
    });
    expect(read(encodeAnswer(answer))).toStrictEqual({
      code: 0,
      kind: 'ok_response',
      httpStatus: undefined,
      body: undefined,
      headers: [
        ['x-principal-id', 'usr_1', true],
        ['x-principal-scopes', '', true],
        ['cookie', 'theme=dark', true],
      ],
      headersToRemove: ['x-principal-plan', 'authorization', 'x-api-key'],
      responseHeaders: [
        ['x-ratelimit-limit', '100', true],
        ['ratelimit', '"minute";r=99;t=1', true],
      ],
      queryParametersToRemove: ['api_key', 'schlüssel'],
      metadata: [
        ['decision_id', 'd1'],
        ['plan', 'default'],
        ['principal', 'Zoë'],
      ],
    });
  });

  it('encodes what stands once, into memory of its own', () => {
    const lasting = standing({
      requestHeaders: [{ name: 'x-principal-plan', value: 'default' }],
      removeRequestHeaders: ['ratelimit'],
      metadata: [['plan', 'default']],
    });
    const first = hex(allow({ standing: lasting }));
    const { encoded } = lasting;
    for (const part of [encoded?.response, encoded?.metadata]) {
      expect(part?.length).toBeGreaterThan(0);
      expect(part?.buffer.byteLength).toBe(part?.length);
    }
    expect(hex(allow({ standing: lasting }))).toBe(first);
    expect(lasting.encoded).toBe(encoded);
  });
});

describe('a denial', () => {
  it('says everything, repeated headers included', () => {
    const answer = deny({
      headers: [
        { name: 'www-authenticate', value: 'Bearer realm="example"' },
        { name: 'www-authenticate', value: 'Basic realm="example"' },
      ],
      body: '{"title":"Zugriff verweigert – 401"}',
      metadata: [['reason', 'credential_missing']],
    });
    expect(read(encodeAnswer(answer))).toStrictEqual({
      code: 16,
      kind: 'denied_response',
      httpStatus: 401,
      body: '{"title":"Zugriff verweigert – 401"}',
      headers: [
        ['www-authenticate', 'Bearer realm="example"', true],
        ['www-authenticate', 'Basic realm="example"', true],
      ],
      headersToRemove: [],
      responseHeaders: [],
      queryParametersToRemove: [],
      metadata: [['reason', 'credential_missing']],
    });
  });

  it('as an error stands in error_response alone', () => {
    const answer = deny({ code: 14, httpStatus: 503, asError: true });
    expect(read(encodeAnswer(answer))).toMatchObject({
      code: 14,
      kind: 'error_response',
      httpStatus: 503,
    });
    expect(hex(answer)).not.toMatch(/^0a02080e12/);
  });

  it.each([0, -0, -1, 17, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 32, 2 ** 32 + 256])(
    'never reads as an allow: code %d becomes 13',
    (code) => {
      expect(read(encodeAnswer(deny({ code }))).code).toBe(13);
    },
  );

  it.each([0, 100, 200, 204, 299, 600, -401, 401.5, Number.NaN, 2 ** 32 + 200])(
    'never reads as a success: HTTP status %d becomes 503',
    (httpStatus) => {
      expect(read(encodeAnswer(deny({ httpStatus }))).httpStatus).toBe(503);
    },
  );
});

describe('no value can end its header line and begin another', () => {
  const evil = [
    ['a line break', 'a\r\nset-cookie: b', 'a??set-cookie: b'],
    ['control characters', '\0\t\u001f\u007f', '????'],
    ['characters beyond ASCII', 'ü€', '??'],
    ['characters whose last byte is a line break', '\u010d\u010a', '??'],
    ['half a surrogate pair', '\ud83d', '?'],
  ] as const;

  it.each(evil)('%s', (_, value, expected) => {
    const line = { name: 'x', value };
    const ok = allow({
      standing: standing({ requestHeaders: [line] }),
      requestHeaders: [line],
      responseHeaders: [line],
    });
    expect(read(encodeAnswer(ok))).toMatchObject({
      headers: [
        ['x', expected, true],
        ['x', expected, true],
      ],
      responseHeaders: [['x', expected, true]],
    });
    expect(read(encodeAnswer(deny({ headers: [line] }))).headers).toEqual([['x', expected, true]]);
  });

  it.each(evil)('%s in a name', (_, name, expected) => {
    const ok = allow({ requestHeaders: [{ name, value: '' }], removeRequestHeaders: [name] });
    expect(read(encodeAnswer(ok))).toMatchObject({
      headers: [[expected, '', true]],
      headersToRemove: [expected],
    });
  });
});

describe('one answer has nothing of another', () => {
  it('after an answer that could not be finished', () => {
    const expected = hex(deny());
    const broken = deny({
      metadata: [['canary', 'canary']],
      headers: [
        {
          name: 'x',
          get value(): string {
            throw new Error('a bug of the caller');
          },
        },
      ],
    });
    expect(() => encodeAnswer(broken)).toThrow('a bug of the caller');
    expect(hex(deny())).toBe(expected);
    expect(() => encodeAnswer(broken)).toThrow('a bug of the caller');
    expect(hex(allow())).toBe('0a0208001a00');
  });

  it('while one that is far larger is written', () => {
    const small = hex(deny());
    const body = 'ä'.repeat(300_000);
    for (let round = 0; round < 3; round += 1) {
      expect(read(encodeAnswer(deny({ body }))).body).toBe(body);
      expect(hex(deny())).toBe(small);
    }
  });

  it('an answer already given stays as it was', () => {
    const given = encodeAnswer(deny({ body: 'first' }));
    const before = Buffer.from(given).toString('hex');
    encodeAnswer(deny({ body: 'other' }));
    expect(Buffer.from(given).toString('hex')).toBe(before);
  });
});
