import { describe, expect, it } from 'vitest';
import {
  FLAG,
  FRAME,
  FrameReader,
  frame,
  SETTING,
  settingsFrame,
  windowUpdateFrame,
} from '../../bench/load/frames.ts';

const FRAMES = Buffer.concat([
  settingsFrame([[SETTING.maxConcurrentStreams, 100]]),
  frame({ type: FRAME.headers, flags: FLAG.endHeaders, streamId: 1 }, Buffer.from('88', 'hex')),
  frame({ type: FRAME.data, flags: 0, streamId: 0x7fff_ffff }, Buffer.from('a body')),
  frame({ type: FRAME.data, flags: FLAG.endStream, streamId: 1 }, Buffer.alloc(0)),
  windowUpdateFrame(0, 65_536),
]);

const READ = [
  'type 4, flags 0, stream 0: 000300000064',
  'type 1, flags 4, stream 1: 88',
  'type 0, flags 0, stream 2147483647: 6120626f6479',
  'type 0, flags 1, stream 1: ',
  'type 8, flags 0, stream 0: 00010000',
];

function readingOf(chunks: readonly Buffer[]): string[] {
  const read: string[] = [];
  const reader = new FrameReader(({ type, flags, streamId, bytes, start, end }) => {
    const payload = bytes.toString('hex', start, end);
    read.push(`type ${type}, flags ${flags}, stream ${streamId}: ${payload}`);
  });
  for (const chunk of chunks) {
    reader.push(chunk);
    // A socket's buffer is used again for what comes next.
    chunk.fill(0xee);
  }
  return read;
}

describe('the frame reader', () => {
  it('gives frames that come in one piece', () => {
    expect(readingOf([Buffer.from(FRAMES)])).toEqual(READ);
  });

  it('gives the same frames wherever they were cut', () => {
    for (let cut = 1; cut < FRAMES.length; cut += 1) {
      const pieces = [FRAMES.subarray(0, cut), FRAMES.subarray(cut)];
      expect(readingOf(pieces.map((piece) => Buffer.from(piece)))).toEqual(READ);
    }
  });

  it('gives the same frames byte by byte', () => {
    expect(readingOf([...FRAMES].map((byte) => Buffer.from([byte])))).toEqual(READ);
  });

  it('refuses a frame that is longer than it allowed', () => {
    expect(() => readingOf([Buffer.from('0040010000000000010000', 'hex')])).toThrow(RangeError);
  });
});
