import { connect, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import type { CheckAddress } from '../../support/check-client.ts';
import { until } from './start-server.ts';

/** RFC 9113 §6. */
export const FRAME = {
  data: 0,
  headers: 1,
  rstStream: 3,
  settings: 4,
  ping: 6,
  goaway: 7,
} as const;
const END_STREAM = 0x1;
const END_HEADERS = 0x4;
const FRAME_HEADER_BYTES = 9;

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

/** An HTTP/2 client that sends what it is told, frame by frame, and answers nothing by itself: not even a PING. */
export interface RawConnection {
  readonly socket: Socket;
  readonly frames: readonly Frame[];
  send(...frames: Buffer[]): void;
  received(what: string, matches: (frame: Frame) => boolean): Promise<Frame>;
  /** Resolves when the server has closed the connection, in any manner. */
  readonly closed: Promise<void>;
}

export async function rawConnection(
  address: CheckAddress,
  options: { readonly allowHalfOpen?: boolean } = {},
): Promise<RawConnection> {
  const socket = connect({ ...address, ...options });
  onTestFinished(() => {
    socket.destroy();
  });
  const frames: Frame[] = [];
  let rest: Buffer = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk]);
    for (let frame = firstFrame(rest); frame !== undefined; frame = firstFrame(rest)) {
      frames.push(frame);
      rest = rest.subarray(FRAME_HEADER_BYTES + frame.payload.length);
    }
  });
  // A reset is one way for a server to close.
  socket.on('error', () => {});
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  await new Promise<void>((resolve) => socket.once('connect', () => resolve()));
  return {
    socket,
    frames,
    send: (...parts) => {
      socket.write(Buffer.concat(parts));
    },
    async received(what, matches) {
      await until(what, () => frames.some(matches));
      const found = frames.find(matches);
      if (found === undefined) throw new Error(what);
      return found;
    },
    closed,
  };
}

function firstFrame(bytes: Buffer): Frame | undefined {
  if (bytes.length < FRAME_HEADER_BYTES) return undefined;
  const length = bytes.readUIntBE(0, 3);
  if (bytes.length < FRAME_HEADER_BYTES + length) return undefined;
  return {
    type: bytes.readUInt8(3),
    flags: bytes.readUInt8(4),
    stream: bytes.readUInt32BE(5),
    payload: bytes.subarray(FRAME_HEADER_BYTES, FRAME_HEADER_BYTES + length),
  };
}

export function frame(
  type: number,
  flags: number,
  stream: number,
  payload: Buffer = Buffer.alloc(0),
): Buffer {
  const header = Buffer.alloc(FRAME_HEADER_BYTES);
  header.writeUIntBE(payload.length, 0, 3);
  header.writeUInt8(type, 3);
  header.writeUInt8(flags, 4);
  header.writeUInt32BE(stream, 5);
  return Buffer.concat([header, payload]);
}

/** The connection preface: the magic and empty SETTINGS. */
export const preface = (): Buffer =>
  Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(FRAME.settings, 0, 0)]);

/** HEADERS of a call of Check that goes on with DATA; `more` replaces or adds headers. */
export function checkHeaders(stream: number, more: Readonly<Record<string, string>> = {}): Buffer {
  const headers = {
    ':method': 'POST',
    ':scheme': 'http',
    ':path': '/envoy.service.auth.v3.Authorization/Check',
    ':authority': 'latchkey',
    te: 'trailers',
    'content-type': 'application/grpc',
    ...more,
  };
  const block = Object.entries(headers).flatMap(([name, value]) => [literal(name), literal(value)]);
  // Each field: a literal without indexing, with a new name (RFC 7541 §6.2.2).
  const fields = block.map((part, i) => (i % 2 === 0 ? Buffer.concat([Buffer.of(0), part]) : part));
  return frame(FRAME.headers, END_HEADERS, stream, Buffer.concat(fields));
}

/** A string of fewer than 127 bytes, not Huffman-coded (RFC 7541 §5.2). */
const literal = (text: string): Buffer =>
  Buffer.concat([Buffer.of(text.length), Buffer.from(text)]);

/** DATA holding one gRPC message and the end of the request. */
export function messageFrame(
  stream: number,
  message: Uint8Array,
  { compressedFlag = 0 }: { readonly compressedFlag?: 0 | 1 } = {},
): Buffer {
  return frame(FRAME.data, END_STREAM, stream, grpcMessage(message, compressedFlag));
}

export function grpcMessage(message: Uint8Array, compressedFlag: 0 | 1 = 0): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt8(compressedFlag, 0);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}
