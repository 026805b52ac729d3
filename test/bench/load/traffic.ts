import { KEY_TEXT_CHARS } from '../store/key-texts.ts';
import {
  type CheckMessage,
  checkMessage,
  PROJECT_CHARS,
  STREAM_ID_CHARS,
} from './check-message.ts';
import { FLAG, FRAME, FRAME_HEADER_BYTES, writeFrameHead } from './frames.ts';
import { encodeHeaders, type RequestHeader } from './hpack.ts';
import type { KeyTable } from './key-table.ts';
import { FastRandom } from './random.ts';

/** What kind of requests a flow sends. */
export interface TrafficSpec {
  /** `check`: a CheckRequest to a gRPC server; `http`: a GET to an Envoy. */
  readonly kind: 'check' | 'http';
  /** Of the key table: from which place, and how many. */
  readonly keys: { readonly from: number; readonly count: number };
  /** `each-once`: one after the other, until they are used up. */
  readonly order: 'random' | 'each-once';
  /** How many client addresses the checks come from. */
  readonly addresses: number;
}

/** Writes the requests of one flow as HTTP/2 frames. */
export interface Traffic {
  readonly kind: TrafficSpec['kind'];
  /** Of one request with its frames, at most. */
  readonly requestBytesMax: number;
  /** What counts against the flow-control window. */
  readonly bodyBytes: number;
  /** The key of the next request; `undefined`: all have been used. */
  nextKey(): number | undefined;
  /** Gives the place after it. */
  write(out: Buffer, at: number, request: OutgoingRequest): number;
}

export interface OutgoingRequest {
  readonly key: number;
  readonly streamId: number;
  /** Of its connection: what follows refers to the headers it had. */
  readonly isFirst: boolean;
}

/** What Envoy's gRPC client sends for the filter of envoy.yaml. */
const CHECK_HEADERS: readonly RequestHeader[] = [
  [':method', 'POST'],
  [':path', '/envoy.service.auth.v3.Authorization/Check'],
  [':authority', 'latchkey'],
  [':scheme', 'http'],
  ['te', 'trailers'],
  ['grpc-timeout', '1000m'],
  ['content-type', 'application/grpc'],
  ['x-envoy-expected-rq-timeout-ms', '1000'],
];

const PROJECT_MARK = '#'.repeat(PROJECT_CHARS);
const KEY_MARK = 'K'.repeat(KEY_TEXT_CHARS);

/** What a client of the protected service sends. */
const HTTP_HEADERS: readonly RequestHeader[] = [
  [':method', 'GET'],
  [':scheme', 'http'],
  [':authority', 'api.example.com'],
  [':path', `/v1/projects/${PROJECT_MARK}/scans?limit=50&cursor=abc`, 'changes'],
  ['authorization', `Bearer ${KEY_MARK}`, 'changes'],
  ['user-agent', 'python-requests/2.32.3'],
  ['accept', 'application/json'],
  ['accept-encoding', 'gzip, deflate'],
  ['traceparent', '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'],
];

const GRPC_PREFIX_BYTES = 5;

export function createTraffic(
  spec: TrafficSpec,
  table: KeyTable,
  { seed, startId }: { readonly seed: number; readonly startId: number },
): Traffic {
  const choose = chooser(spec, new FastRandom(seed));
  return spec.kind === 'check'
    ? checkTraffic(spec, { table, choose, random: new FastRandom(seed + 1), startId })
    : httpTraffic({ table, choose, random: new FastRandom(seed + 1) });
}

function chooser({ keys, order }: TrafficSpec, random: FastRandom): () => number | undefined {
  if (order === 'random') return () => keys.from + random.below(keys.count);
  let used = 0;
  return () => {
    if (used >= keys.count) return undefined;
    used += 1;
    return keys.from + used - 1;
  };
}

interface CheckParts {
  readonly table: KeyTable;
  readonly choose: () => number | undefined;
  readonly random: FastRandom;
  readonly startId: number;
}

function checkTraffic(spec: TrafficSpec, parts: CheckParts): Traffic {
  const { table, choose, random } = parts;
  const message = checkMessage();
  const blocks = encodeHeaders(CHECK_HEADERS);
  const first = checkImage(blocks.first, message);
  const later = checkImage(blocks.later, message);
  let id = parts.startId;
  return {
    kind: 'check',
    requestBytesMax: first.bytes.length,
    bodyBytes: GRPC_PREFIX_BYTES + message.bytes.length,
    nextKey: choose,
    write(out, at, { key, streamId, isFirst }) {
      const image = isFirst ? first : later;
      image.bytes.copy(out, at);
      out.writeUInt32BE(streamId, at + STREAM_ID_AT);
      out.writeUInt32BE(streamId, at + image.data + STREAM_ID_AT);
      const body = at + image.message;
      table.copy(key, out, body + message.key);
      const project = random.below(1_000_000);
      for (const place of message.projects) writeDigits(out, body + place, PROJECT_CHARS, project);
      id += 1;
      writeDigits(out, body + message.streamId, STREAM_ID_CHARS, id);
      writeAddress(out, body + message.address, random.below(spec.addresses));
      return at + image.bytes.length;
    },
  };
}

/** Of the stream id within the head of a frame. */
const STREAM_ID_AT = 5;

/** The two frames of a request; where the second one begins, and the message in it. */
function checkImage(block: Buffer, { bytes }: CheckMessage) {
  const data = FRAME_HEADER_BYTES + block.length;
  const message = data + FRAME_HEADER_BYTES + GRPC_PREFIX_BYTES;
  const image = Buffer.alloc(message + bytes.length);
  const length = GRPC_PREFIX_BYTES + bytes.length;
  writeFrameHead(image, 0, {
    ...{ type: FRAME.headers, flags: FLAG.endHeaders, streamId: 0, length: block.length },
  });
  block.copy(image, FRAME_HEADER_BYTES);
  writeFrameHead(image, data, { type: FRAME.data, flags: FLAG.endStream, streamId: 0, length });
  image.writeUInt32BE(bytes.length, message - 4);
  bytes.copy(image, message);
  return { bytes: image, data, message };
}

function httpTraffic({ table, choose, random }: Omit<CheckParts, 'startId'>): Traffic {
  const blocks = encodeHeaders(HTTP_HEADERS);
  const first = httpImage(blocks.first);
  const later = httpImage(blocks.later);
  return {
    kind: 'http',
    requestBytesMax: first.bytes.length,
    bodyBytes: 0,
    nextKey: choose,
    write(out, at, { key, streamId, isFirst }) {
      const image = isFirst ? first : later;
      image.bytes.copy(out, at);
      out.writeUInt32BE(streamId, at + STREAM_ID_AT);
      table.copy(key, out, at + image.key);
      writeDigits(out, at + image.project, PROJECT_CHARS, random.below(1_000_000));
      return at + image.bytes.length;
    },
  };
}

function httpImage(block: Buffer) {
  const bytes = Buffer.alloc(FRAME_HEADER_BYTES + block.length);
  const flags = FLAG.endHeaders | FLAG.endStream;
  writeFrameHead(bytes, 0, { type: FRAME.headers, flags, streamId: 0, length: block.length });
  block.copy(bytes, FRAME_HEADER_BYTES);
  return { bytes, key: bytes.indexOf(KEY_MARK), project: bytes.indexOf(PROJECT_MARK) };
}

const ZERO = 0x30;

/** `value` in exactly `width` decimal digits. */
function writeDigits(out: Buffer, at: number, width: number, value: number): void {
  let rest = value;
  for (let place = at + width - 1; place >= at; place -= 1) {
    const tenth = Math.floor(rest / 10);
    out[place] = ZERO + (rest - 10 * tenth);
    rest = tenth;
  }
}

/** Octets from 100 to 255, so that every address is equally long. */
const OCTETS = 156;

function writeAddress(out: Buffer, at: number, address: number): void {
  writeDigits(out, at + 3, 3, 100 + (Math.floor(address / (OCTETS * OCTETS)) % OCTETS));
  writeDigits(out, at + 7, 3, 100 + (Math.floor(address / OCTETS) % OCTETS));
  writeDigits(out, at + 11, 3, 100 + (address % OCTETS));
}
