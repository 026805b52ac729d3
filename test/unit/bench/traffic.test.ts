import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { FLAG, FRAME, FrameReader } from '../../bench/load/frames.ts';
import { type Header, HpackDecoder } from '../../bench/load/hpack.ts';
import { KeyTable } from '../../bench/load/key-table.ts';
import { createTraffic, type Traffic, type TrafficSpec } from '../../bench/load/traffic.ts';
import { mintLiveKey } from '../../bench/store/key-texts.ts';
import { loadProtoOracle } from '../../support/proto-oracle.ts';

const oracle = loadProtoOracle();
const KEYS = 5;
const table = new KeyTable(
  Buffer.from(Array.from({ length: KEYS }, () => mintLiveKey().text).join('')),
);

const spec = (changes: Partial<TrafficSpec>): TrafficSpec => ({
  ...{ kind: 'check', keys: { from: 0, count: KEYS }, order: 'random', addresses: 1000 },
  ...changes,
});

const traffic = (changes: Partial<TrafficSpec> = {}): Traffic =>
  createTraffic(spec(changes), table, { seed: 1, startId: 1000 });

interface Sent {
  readonly headers: Header[];
  readonly body: Buffer;
  readonly streamIds: number[];
  readonly lastFlags: number;
}

/** Requests as a server reads them, on streams 1, 3, 5, … */
function sent(from: Traffic, keys: readonly number[]): Sent[] {
  const hpack = new HpackDecoder();
  return keys.map((key, index) => {
    const out = Buffer.alloc(from.requestBytesMax);
    const isFirst = index === 0;
    const end = from.write(out, 0, { key, streamId: 2 * index + 1, isFirst });
    const found: Sent & { lastFlags: number; body: Buffer } = {
      ...{ headers: [], body: Buffer.alloc(0), streamIds: [], lastFlags: 0 },
    };
    const reader = new FrameReader(({ type, flags, streamId, bytes, start, end: last }) => {
      found.streamIds.push(streamId);
      found.lastFlags = flags;
      if (type === FRAME.data) found.body = Buffer.from(bytes.subarray(start, last));
      else hpack.decode({ bytes, start, end: last }, (header) => found.headers.push(header));
    });
    reader.push(out.subarray(0, end));
    return found;
  });
}

function checkIn({ body }: Sent) {
  expect(body.readUInt32BE(1)).toBe(body.length - 5);
  const { attributes } = oracle.decodeRequest(body.subarray(5));
  const http = attributes?.request?.http;
  const lines = http?.header_map?.headers ?? [];
  const line = (name: string): string | undefined =>
    lines.find(({ key }) => key === name)?.raw_value.toString();
  return { attributes, http, line, names: lines.map(({ key }) => key) };
}

describe('checks', () => {
  it('are the captured request with the key that was chosen', () => {
    const captured = oracle.decodeRequest(
      readFileSync(new URL('../../fixtures/check-raw.bin', import.meta.url)),
    );
    for (const [index, request] of sent(traffic(), [3, 0, 4]).entries()) {
      const { http, line, names } = checkIn(request);
      expect(line('authorization')).toBe(`Bearer ${table.text([3, 0, 4][index] ?? 0)}`);
      expect(line(':path')).toBe(http?.path);
      expect(http?.path).toMatch(/^\/v1\/projects\/\d{6}\/scans\?limit=50&cursor=abc$/);
      expect(names).toEqual(
        captured.attributes?.request?.http?.header_map?.headers.map(({ key }) => key),
      );
      expect(http?.method).toBe('GET');
    }
  });

  it('differ in stream id, path and address, so that no two are taken for one', () => {
    const requests = sent(
      traffic(),
      Array.from({ length: 50 }, () => 1),
    ).map(checkIn);
    const distinct = (of: (request: ReturnType<typeof checkIn>) => unknown): number =>
      new Set(requests.map(of)).size;
    expect(distinct(({ http }) => http?.id)).toBe(50);
    expect(distinct(({ http }) => http?.path)).toBeGreaterThan(45);
    expect(
      distinct(({ attributes }) => attributes?.source?.address?.socket_address?.address),
    ).toBeGreaterThan(40);
  });

  it('are calls as Envoy makes them, each whole on a stream of its own', () => {
    for (const [index, { headers, streamIds, lastFlags }] of sent(traffic(), [1, 2]).entries()) {
      expect(Object.fromEntries(headers)).toMatchObject({
        ':method': 'POST',
        ':path': '/envoy.service.auth.v3.Authorization/Check',
        'content-type': 'application/grpc',
        te: 'trailers',
        'grpc-timeout': '1000m',
      });
      expect(streamIds).toEqual([2 * index + 1, 2 * index + 1]);
      expect(lastFlags & FLAG.endStream).toBe(FLAG.endStream);
    }
  });
});

describe('requests through Envoy', () => {
  it('carry the key that was chosen, the first one and every later one', () => {
    const requests = sent(traffic({ kind: 'http' }), [2, 4, 2]);
    for (const [index, { headers, lastFlags }] of requests.entries()) {
      const values = Object.fromEntries(headers);
      expect(values['authorization']).toBe(`Bearer ${table.text([2, 4, 2][index] ?? 0)}`);
      expect(values[':path']).toMatch(/^\/v1\/projects\/\d{6}\/scans\?/);
      expect(values['accept']).toBe('application/json');
      expect(headers.findLastIndex(([name]) => name.startsWith(':'))).toBe(3);
      expect(lastFlags & FLAG.endStream).toBe(FLAG.endStream);
    }
  });
});

describe('the choice of keys', () => {
  it('takes each key once, in order, and then none', () => {
    const { nextKey } = traffic({ keys: { from: 1, count: 3 }, order: 'each-once' });
    expect([nextKey(), nextKey(), nextKey(), nextKey()]).toEqual([1, 2, 3, undefined]);
  });

  it('takes all keys of a range, and no other, at random', () => {
    const { nextKey } = traffic({ keys: { from: 1, count: 3 } });
    const chosen = new Set(Array.from({ length: 200 }, nextKey));
    expect([...chosen].sort()).toEqual([1, 2, 3]);
  });
});
