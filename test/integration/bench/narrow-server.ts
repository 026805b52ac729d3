import { createServer } from 'node:net';
import {
  FLAG,
  FRAME,
  FrameReader,
  frame,
  PREFACE,
  settingsFrame,
  windowUpdateFrame,
} from '../../bench/load/frames.ts';
import { encodeHeaders } from '../../bench/load/hpack.ts';

/** Room is made again when nothing has come for so long: a client that keeps to the window has stopped by then. */
const SILENCE_MS = 20;

const HEADERS = encodeHeaders([
  [':status', '200'],
  ['grpc-status', '0', 'changes'],
]).first;

/**
 * As much of a gRPC server as it takes to see how much a client sends before it is given room for more: it answers each call at once
 * with this message. No server of Node's keeps a client waiting for the window of its connection.
 */
export async function startNarrowServer(socketPath: string, message: Buffer) {
  const body = Buffer.concat([Buffer.from([0, 0, 0, 0, message.length]), message]);
  let [bytes, most] = [0, 0];
  const server = createServer((socket) => {
    const reader = new FrameReader(({ type, streamId, start, end }) => {
      if (type !== FRAME.data) return;
      bytes += end - start;
      most = Math.max(most, bytes);
      socket.write(frame({ type: FRAME.headers, flags: FLAG.endHeaders, streamId }, HEADERS));
      socket.write(frame({ type: FRAME.data, flags: FLAG.endStream, streamId }, body));
    });
    let preface = PREFACE.length;
    let timer: NodeJS.Timeout | undefined;
    socket.on('data', (chunk: Buffer) => {
      reader.push(chunk.subarray(preface));
      preface = 0;
      clearTimeout(timer);
      timer = setTimeout(() => {
        if (bytes > 0) socket.write(windowUpdateFrame(0, bytes));
        bytes = 0;
      }, SILENCE_MS);
    });
    // The client leaves without a word.
    socket.on('error', () => {});
    socket.write(settingsFrame([]));
  });
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  return { mostBytes: () => most, close: () => server.close() };
}
