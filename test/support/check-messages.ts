import type { HeaderPairs, RequestInit } from './http-clients.ts';
import { loadProtoOracle, type OracleResponse } from './proto-oracle.ts';

/** How Envoy hands headers over: one by one (`encode_raw_headers`), or as a map that joins what is repeated. */
export type HeaderMode = 'raw' | 'map';

export interface AskedCheck extends RequestInit {
  readonly host?: string;
  readonly mode?: HeaderMode;
  readonly peer?: string;
  /** `context_extensions.rule`. */
  readonly rule?: string;
}

const oracle = loadProtoOracle();
let lastId = 0;

/**
 * The CheckRequest that an Envoy sends for this request if it passes everything on as it came. Texts are latin1: one
 * character per byte.
 */
export function checkRequest(asked: AskedCheck): Buffer {
  const { method = 'GET', path = '/', mode = 'raw', peer = '127.0.0.1', rule } = asked;
  const given = (asked.headers ?? []).map(([name, value]) => [name.toLowerCase(), value] as const);
  const host = asked.host ?? given.find(([name]) => name === 'host')?.[1] ?? 'localhost';
  const lines: HeaderPairs = [
    [':authority', host],
    [':path', path],
    [':method', method],
    [':scheme', 'http'],
    ...given.filter(([name]) => name !== 'host'),
  ];
  lastId += 1;
  return oracle.encodeRequest({
    attributes: {
      source: { address: { socket_address: { address: peer, port_value: 40_000 } } },
      request: {
        time: { seconds: 1_800_000_000 },
        http: {
          ...{ id: String(lastId), method, path, host, scheme: 'http', protocol: 'HTTP/1.1' },
          ...(mode === 'raw' ? rawHeaders(lines) : { headers: joined(lines) }),
        },
      },
      ...(rule !== undefined && { context_extensions: { rule } }),
    },
  });
}

function rawHeaders(lines: HeaderPairs): object {
  const headers = lines.map(([key, value]) => ({ key, raw_value: Buffer.from(value, 'latin1') }));
  return { header_map: { headers } };
}

/** Envoy joins repeats by a comma without a blank, and writes `!` for bytes that are no UTF-8. */
function joined(lines: HeaderPairs): Record<string, string> {
  const map = new Map<string, string>();
  for (const [name, value] of lines) {
    const known = map.get(name);
    map.set(name, known === undefined ? value : `${known},${value}`);
  }
  // fromEntries defines own properties: a header named __proto__ stays a header.
  return Object.fromEntries([...map].map(([name, value]) => [name, utf8OrMark(value)]));
}

function utf8OrMark(value: string): string {
  const bytes = Buffer.from(value, 'latin1');
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return value.replace(/[\u0080-\u00ff]/g, '!');
  }
}

/** What a CheckResponse says. */
export function checkResponse(bytes: Uint8Array): OracleResponse {
  return oracle.decodeResponse(bytes);
}
