import type { Random } from './random.ts';

/** Names that the decoders under test are asked for; the empty one stands for a slot that a policy does not use. */
export const WANTED = [
  'authorization',
  'cookie',
  'x-envoy-external-address',
  '',
  'content-type',
  'origin',
  'upgrade',
  'x-api-key',
  '__proto__',
] as const;

const NAMES = [
  ...WANTED,
  'Authorization',
  'COOKIE',
  'X-Api-Key',
  'cache-control',
  'user-agent',
  ':path',
  ':method',
  'x-request-id',
  'x-api-kez',
  'authorizatioo',
  'x-forwarded-proto',
  'constructor',
];

/** A CheckRequest as an object for proto-loader: any part may be missing, valid UTF-8 throughout. */
export function randomCheckRequest(random: Random): object {
  return sometimes(random, 60, {
    attributes: {
      ...maybe(random, 'source', () => randomPeer(random)),
      ...maybe(random, 'destination', () => randomPeer(random)),
      ...maybe(random, 'request', () => randomRequest(random), 40),
      ...maybe(random, 'context_extensions', () => randomExtensions(random), 2),
      ...maybe(random, 'metadata_context', () => METADATA, 2),
      ...maybe(random, 'tls_session', () => ({ sni: randomText(random) }), 2),
    },
  });
}

/** Any text that may stand in a string field, mostly short ASCII. */
export function randomText(random: Random): string {
  switch (random.below(40)) {
    case 0:
      return '';
    case 1:
      return random.pick(['ü', '€', 'a😀b']);
    case 2:
      // Lengths of two and three bytes.
      return 'x'.repeat(random.pick([127, 128, 300, 16_383, 16_384]));
    case 3:
      return random.pick(['\0', '\r\n', '\u007f', '\u0080\u00ff', '__proto__', 'rule']);
    default: {
      let text = '';
      for (let left = random.below(24); left > 0; left -= 1) {
        text += String.fromCharCode(0x20 + random.below(95));
      }
      return text;
    }
  }
}

function randomRequest(random: Random): object {
  return {
    ...maybe(random, 'time', () => randomTime(random)),
    ...maybe(random, 'http', () => randomHttp(random), 40),
  };
}

function randomHttp(random: Random): object {
  return {
    ...maybe(random, 'id', () => String(random.below(2 ** 31))),
    ...maybe(random, 'method', () => random.pick(['GET', 'POST', 'DELETE', 'gEt']), 20),
    ...maybe(random, 'path', () => `/${randomText(random)}`, 20),
    ...maybe(random, 'host', () => randomText(random)),
    ...maybe(random, 'scheme', () => random.pick(['http', 'https'])),
    ...maybe(random, 'size', () => random.pick([-1, 0, 17, 2 ** 40]), 2),
    ...maybe(random, 'protocol', () => 'HTTP/1.1'),
    ...maybe(random, 'body', () => randomText(random), 2),
    ...maybe(random, 'raw_body', () => Buffer.from([0, 255, 10]), 2),
    ...maybe(random, 'headers', () => randomMap(random), 2),
    ...maybe(random, 'header_map', () => ({ headers: randomLines(random) }), 2),
  };
}

function randomMap(random: Random): object {
  const headers = new Map<string, string>();
  for (let left = random.below(10); left > 0; left -= 1) {
    headers.set(random.pick(NAMES), randomText(random));
  }
  return Object.fromEntries(headers);
}

function randomLines(random: Random): object[] {
  return Array.from({ length: random.below(10) }, () => ({
    key: random.pick(NAMES),
    ...maybe(random, 'value', () => randomText(random), 2),
    ...maybe(random, 'raw_value', () => randomBytes(random, random.below(20))),
  }));
}

function randomBytes(random: Random, length: number): Buffer {
  return Buffer.from(Array.from({ length }, () => random.below(256)));
}

function randomPeer(random: Random): object {
  const address = random.pick([
    { socket_address: { address: '203.0.113.9', port_value: 4711 } },
    { socket_address: { address: '2001:db8::1', named_port: 'http' } },
    { socket_address: {} },
    { pipe: { path: '@envoy', mode: 384 } },
    { envoy_internal_address: { server_listener_name: 'inner', endpoint_id: '1' } },
    {},
  ]);
  return {
    ...maybe(random, 'address', () => address),
    ...maybe(random, 'service', () => 'edge', 2),
    ...maybe(random, 'labels', () => ({ zone: 'a', rule: 'b' }), 2),
    ...maybe(random, 'principal', () => 'spiffe://example/edge', 2),
  };
}

function randomTime(random: Random): object {
  return {
    seconds: random.pick(['0', '1795380190', '4294967296', '-1', '9223372036854775807']),
    nanos: random.pick([0, 501_506_000, 999_999_999, -1]),
  };
}

function randomExtensions(random: Random): object {
  return sometimes(random, 2, { rule: randomText(random), other: 'x', RULE: 'y' });
}

const METADATA = {
  filter_metadata: {
    'envoy.filters.http.jwt_authn': {
      fields: {
        a: { numberValue: 1.5 },
        b: { structValue: { fields: { c: { boolValue: true } } } },
      },
    },
  },
};

/** The field, but for one time in `usual`. */
function maybe(random: Random, name: string, value: () => unknown, usual = 8): object {
  return random.below(usual) === 0 ? {} : { [name]: value() };
}

function sometimes(random: Random, usual: number, value: object): object {
  return random.below(usual) === 0 ? {} : value;
}
