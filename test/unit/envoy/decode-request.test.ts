import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createRequestDecoder } from '../../../src/envoy/decode-request.ts';
import { type CheckInput, SLOT, SLOT_NAMES } from '../../../src/model/request.ts';
import { message, text, varint, type WireTree, writeTree } from '../../support/wire-tree.ts';

const fixture = (name: string) =>
  readFileSync(new URL(`../../fixtures/${name}.bin`, import.meta.url));

const decode = createRequestDecoder([...SLOT_NAMES, 'x-api-key', '__proto__']);
const X_API_KEY = SLOT_NAMES.length;

/** What ours makes of a request whose HttpRequest has these fields beside its method and path. */
function inputOf(http: WireTree, { request = [], attributes = [] }: Surroundings = {}): CheckInput {
  const whole = message(2, text(2, 'GET'), text(4, '/'), ...http);
  const bytes = writeTree([message(1, message(4, ...request, whole), ...attributes)]);
  const decoded = decode(bytes);
  if (decoded.kind === 'malformed') throw new Error(decoded.cause);
  return decoded.input;
}

interface Surroundings {
  readonly request?: WireTree;
  readonly attributes?: WireTree;
}

const mapLine = (name: string, value: string) => message(3, text(1, name), text(2, value));
const rawLines = (...lines: (readonly [string, string])[]) =>
  message(13, ...lines.map(([name, value]) => message(1, text(1, name), text(3, value))));

describe('what a real Envoy sent', () => {
  const common = {
    method: 'GET',
    path: '/v1/projects/7f3c/scans?limit=50&cursor=abc',
    host: 'api.example.com',
    scheme: 'http',
    headers: [
      'Bearer sk_live_00000000000000000000000000000007',
      undefined,
      undefined,
      '203.0.113.9',
      'application/json',
      undefined,
      'https://app.example.com',
      undefined,
      undefined,
      undefined,
    ],
    peerAddress: '127.0.0.1',
    ruleName: undefined,
  };

  it.each([
    ['check-map', '13632150873208413737:1795380190.501506000'],
    ['check-raw', '11737898043257285939:1795380191.248100000'],
  ])('is read exactly (%s)', (name, requestKey) => {
    const expected = { kind: 'request', input: { ...common, requestKey } };
    expect(decode(fixture(name))).toStrictEqual(expected);
  });

  it('is read the same from a slice of a larger buffer and from a plain Uint8Array', () => {
    const bytes = fixture('check-raw');
    const larger = new Uint8Array(bytes.length + 40).fill(0x0a);
    larger.set(bytes, 17);
    expect(decode(larger.subarray(17, 17 + bytes.length))).toStrictEqual(decode(bytes));
  });
});

describe('no line of a header goes unseen', () => {
  const slotOf = (http: WireTree) => inputOf(http).headers[X_API_KEY];

  it.each<[string, WireTree, CheckInput['headers'][number]]>([
    ['none', [], undefined],
    ['one in the map', [mapLine('x-api-key', 'a')], 'a'],
    ['one in the list', [rawLines(['x-api-key', 'a'])], 'a'],
    ['an empty one', [mapLine('x-api-key', '')], ''],
    ['one without a value', [message(3, text(1, 'x-api-key'))], ''],
    [
      'two of one key in the map',
      [mapLine('x-api-key', 'a'), mapLine('x-api-key', 'b')],
      ['a', 'b'],
    ],
    ['the same one twice', [mapLine('x-api-key', 'a'), mapLine('x-api-key', 'a')], ['a', 'a']],
    [
      'three in the list',
      [rawLines(['x-api-key', 'a'], ['x-api-key', ''], ['x-api-key', 'c'])],
      ['a', '', 'c'],
    ],
    ['in two lists', [rawLines(['x-api-key', 'a']), rawLines(['x-api-key', 'b'])], ['a', 'b']],
    ['in map and list', [mapLine('x-api-key', 'a'), rawLines(['x-api-key', 'b'])], ['a', 'b']],
    ['in other case', [mapLine('X-Api-Key', 'a'), rawLines(['X-API-KEY', 'b'])], ['a', 'b']],
    [
      'a map entry has no raw_value: its third field is a stranger',
      [message(3, text(1, 'x-api-key'), text(2, 'v'), text(3, 'r'))],
      'v',
    ],
    ['value before name', [message(3, text(2, 'a'), text(1, 'x-api-key'))], 'a'],
  ])('%s', (_, http, expected) => {
    expect(slotOf(http)).toStrictEqual(expected);
  });

  it.each([
    ['x-api-ke'],
    ['x-api-key2'],
    ['x_api_key'],
    ['x-api-kez'],
    ['y-api-key'],
    ['x\u000dapi\u000dkey'],
    ['x-api-key\0'],
    [''],
  ])('a line of another name (%j) is not taken for it', (name) => {
    expect(slotOf([mapLine(name, 'a')])).toBeUndefined();
  });

  it('counts lines of one name among a thousand others', () => {
    const others = Array.from({ length: 1000 }, (_, index) => mapLine(`x-${index}`, 'v'));
    const http = [...others, mapLine('x-api-key', 'a'), ...others, mapLine('x-api-key', 'b')];
    expect(slotOf(http)).toStrictEqual(['a', 'b']);
  });

  it('prefers raw_value to value, unless it is empty', () => {
    const both = (raw: string) =>
      message(13, message(1, text(1, 'x-api-key'), text(2, 'v'), text(3, raw)));
    expect(slotOf([both('r')])).toBe('r');
    expect(slotOf([both('')])).toBe('v');
  });
});

describe('any byte of a header or path arrives as it was sent', () => {
  const everyByte = String.fromCharCode(...Array.from({ length: 256 }, (_, byte) => byte));

  it('bytes that are no UTF-8 are kept, and other headers still read', () => {
    const lines = rawLines(['cookie', everyByte], ['authorization', 'Bearer k']);
    const { headers } = inputOf([lines]);
    expect(headers[SLOT.cookie]).toBe(everyByte);
    expect(headers[SLOT.authorization]).toBe('Bearer k');
    expect(inputOf([text(4, `/${everyByte}`)]).path).toBe(`/${everyByte}`);
  });

  it('a name of a built-in property is a name like any other', () => {
    const { headers } = inputOf([mapLine('__proto__', 'p'), mapLine('constructor', 'c')]);
    expect(headers.at(-1)).toBe('p');
    expect(({} as { p?: unknown }).p).toBeUndefined();
  });

  it('a header and a path of 60 KiB are read whole', () => {
    const long = 'x'.repeat(60 * 1024);
    const input = inputOf([mapLine('cookie', long), text(4, `/${long}`)]);
    expect(input.headers[SLOT.cookie]).toBe(long);
    expect(input.path).toBe(`/${long}`);
  });
});

describe('facts come from the fields that Envoy fills itself', () => {
  it('method, path, host and scheme are never taken from headers', () => {
    const pseudo = [':method', ':path', ':authority', ':scheme', 'host', 'x-original-url'];
    const input = inputOf([
      ...pseudo.map((name) => mapLine(name, 'spoofed')),
      rawLines([':path', '/spoofed'], [':method', 'PUT']),
      text(5, 'api.example.com'),
      text(6, 'https'),
    ]);
    expect(input).toMatchObject({
      method: 'GET',
      path: '/',
      host: 'api.example.com',
      scheme: 'https',
    });
  });

  const socket = (address: string) => message(1, text(2, address), varint(3, 4711n));
  it.each<[string, WireTree, string | undefined]>([
    ['a socket', [socket('2001:db8::1')], '2001:db8::1'],
    ['a socket without an address', [message(1)], undefined],
    ['a pipe', [message(2, text(1, '@envoy'))], undefined],
    ['an internal listener', [message(3, text(1, 'inner'))], undefined],
    ['nothing', [], undefined],
    ['a socket replaced by a pipe', [socket('10.0.0.1'), message(2)], undefined],
    ['a pipe replaced by a socket', [message(2), socket('10.0.0.1')], '10.0.0.1'],
  ])('the peer of %s', (_, address, expected) => {
    const attributes = [message(1, message(1, ...address))];
    expect(inputOf([], { attributes }).peerAddress).toBe(expected);
  });

  it('the destination is not taken for the peer', () => {
    const attributes = [message(2, message(1, socket('10.0.0.1')))];
    expect(inputOf([], { attributes }).peerAddress).toBeUndefined();
  });

  it.each<[string, WireTree, string | undefined]>([
    ['none', [], undefined],
    ['one', [message(10, text(1, 'rule'), text(2, 'scans-read'))], 'scans-read'],
    ['an empty one', [message(10, text(1, 'rule'))], ''],
    ['other keys', [message(10, text(1, 'RULE'), text(2, 'a')), message(10)], undefined],
  ])('the rule named by the route: %s', (_, attributes, expected) => {
    expect(inputOf([], { attributes }).ruleName).toBe(expected);
  });

  it('a header called rule names no rule', () => {
    expect(inputOf([mapLine('rule', 'public')]).ruleName).toBeUndefined();
  });
});

describe('the request key tells requests apart', () => {
  const time = (seconds: bigint, nanos: bigint) => message(1, varint(1, seconds), varint(2, nanos));

  it.each<[string, string, WireTree, string | undefined]>([
    ['id and start', '17', [time(1_795_380_190n, 5n)], '17:1795380190.5'],
    ['no start', '17', [], '17:0.0'],
    ['no id', '', [time(1n, 2n)], undefined],
    ['after 2038', '17', [time(4_000_000_000n, 999_999_999n)], '17:4000000000.999999999'],
    ['beyond 53 bits', '17', [time(2n ** 53n + 1n, 0n)], '17:9007199254740993.0'],
    ['before 1970', '17', [time(-1n, -2n)], '17:-1.-2'],
  ])('%s', (_, id, request, expected) => {
    expect(inputOf([text(1, id)], { request }).requestKey).toBe(expected);
  });
});

describe('the wanted headers', () => {
  const bytes = fixture('check-raw');
  const headersOf = (wanted: readonly string[]) => {
    const decoded = createRequestDecoder(wanted)(bytes);
    return decoded.kind === 'request' ? decoded.input.headers : decoded.cause;
  };

  it('fill a slot each, in their order; an empty name leaves its slot unused', () => {
    expect(headersOf(['origin', '', 'nobody-sent-this', 'accept'])).toStrictEqual([
      'https://app.example.com',
      undefined,
      undefined,
      'application/json',
    ]);
  });

  it('fill every slot that asks for them, in whatever case', () => {
    expect(headersOf(['accept', 'Accept', 'ACCEPT'])).toStrictEqual(
      Array(3).fill('application/json'),
    );
  });

  it('are compared as bytes: a wider character is not the byte that it ends in', () => {
    expect(headersOf(['\u0161ccept'])).toStrictEqual([undefined]);
  });

  it('may be none', () => {
    expect(headersOf([])).toStrictEqual([]);
  });

  it('are not shared between requests', () => {
    const first = headersOf(['accept']);
    expect(headersOf(['accept'])).not.toBe(first);
  });
});

describe('a message in pieces is one message', () => {
  it('the pieces of attributes, request and http add up, and the last value counts', () => {
    const piece = (...http: WireTree) => message(1, message(4, message(2, ...http)));
    const decoded = decode(
      writeTree([
        piece(text(2, 'POST'), mapLine('cookie', 'a')),
        piece(text(4, '/one'), mapLine('cookie', 'b')),
        piece(text(2, 'GET')),
      ]),
    );
    expect(decoded).toMatchObject({ kind: 'request', input: { method: 'GET', path: '/one' } });
    expect(decoded.kind === 'request' && decoded.input.headers[SLOT.cookie]).toEqual(['a', 'b']);
  });
});
