/** HTTP/2 frames (RFC 9113 §4, §6), as much of them as a client needs that sends one kind of request. */

export const FRAME = {
  data: 0,
  headers: 1,
  resetStream: 3,
  settings: 4,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

export const FLAG = {
  endStream: 0x1,
  ack: 0x1,
  endHeaders: 0x4,
  padded: 0x8,
  priority: 0x20,
} as const;

export const SETTING = {
  enablePush: 2,
  maxConcurrentStreams: 3,
  initialWindowSize: 4,
  maxFrameSize: 5,
} as const;

export const PREFACE: Buffer = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');
export const FRAME_HEADER_BYTES = 9;
/** What a peer may send in one frame unless it was told otherwise. */
export const FRAME_BYTES_MAX = 16_384;
/** The flow-control window of a connection or stream at its beginning. */
export const WINDOW_BYTES_DEFAULT = 65_535;

export interface FrameHead {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly length: number;
}

/** Writes the head of a frame and gives the place after it. */
export function writeFrameHead(out: Buffer, at: number, head: FrameHead): number {
  out[at] = head.length >>> 16;
  out[at + 1] = (head.length >>> 8) & 0xff;
  out[at + 2] = head.length & 0xff;
  out[at + 3] = head.type;
  out[at + 4] = head.flags;
  out.writeUInt32BE(head.streamId, at + 5);
  return at + FRAME_HEADER_BYTES;
}

/** A whole frame, for those that are rare. */
export function frame(head: Omit<FrameHead, 'length'>, payload: Uint8Array): Buffer {
  const out = Buffer.alloc(FRAME_HEADER_BYTES + payload.length);
  out.set(payload, writeFrameHead(out, 0, { ...head, length: payload.length }));
  return out;
}

export function settingsFrame(settings: readonly (readonly [id: number, value: number])[]): Buffer {
  const payload = Buffer.alloc(6 * settings.length);
  for (const [index, [id, value]] of settings.entries()) {
    payload.writeUInt16BE(id, 6 * index);
    payload.writeUInt32BE(value, 6 * index + 2);
  }
  return frame({ type: FRAME.settings, flags: 0, streamId: 0 }, payload);
}

export function windowUpdateFrame(streamId: number, bytes: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(bytes);
  return frame({ type: FRAME.windowUpdate, flags: 0, streamId }, payload);
}

/** One frame as it lies in a buffer that is used again: what is to be kept has to be copied. */
export interface ReceivedFrame {
  type: number;
  flags: number;
  streamId: number;
  bytes: Buffer;
  start: number;
  end: number;
}

/** Cuts what a connection receives into frames, however it was cut on its way. */
export class FrameReader {
  readonly #onFrame: (frame: ReceivedFrame) => void;
  readonly #frame: ReceivedFrame;
  #rest: Buffer = Buffer.alloc(0);

  constructor(onFrame: (frame: ReceivedFrame) => void) {
    this.#onFrame = onFrame;
    this.#frame = { type: 0, flags: 0, streamId: 0, bytes: this.#rest, start: 0, end: 0 };
  }

  /** `chunk` may be used again by its owner afterwards. @throws RangeError for a frame that is longer than allowed. */
  push(chunk: Buffer): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    while (bytes.length - at >= FRAME_HEADER_BYTES) {
      const length = bytes.readUIntBE(at, 3);
      if (length > FRAME_BYTES_MAX) throw new RangeError(`a frame of ${length} bytes`);
      const start = at + FRAME_HEADER_BYTES;
      if (bytes.length < start + length) break;
      const frame = this.#frame;
      frame.type = bytes[at + 3] ?? 0;
      frame.flags = bytes[at + 4] ?? 0;
      frame.streamId = bytes.readUInt32BE(at + 5) & 0x7fff_ffff;
      frame.bytes = bytes;
      frame.start = start;
      frame.end = start + length;
      at = start + length;
      this.#onFrame(frame);
    }
    this.#rest = at === bytes.length ? EMPTY : Buffer.from(bytes.subarray(at));
  }
}

const EMPTY = Buffer.alloc(0);
