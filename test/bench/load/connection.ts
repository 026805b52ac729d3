import { connect, type Socket } from 'node:net';
import {
  FLAG,
  FRAME,
  FrameReader,
  frame,
  PREFACE,
  type ReceivedFrame,
  SETTING,
  settingsFrame,
  WINDOW_BYTES_DEFAULT,
  windowUpdateFrame,
} from './frames.ts';
import { type OnAnswer, OpenStreams } from './open-streams.ts';
import type { Traffic } from './traffic.ts';

export type Target = { readonly socketPath: string } | { readonly port: number };

/** Told to the server for its side: no answer here comes near it, so no stream ever needs an update. */
const STREAM_WINDOW_BYTES = 1024 * 1024;
const CONNECTION_WINDOW_BYTES = 16 * 1024 * 1024;
const OUT_BYTES_START = 64 * 1024;
const RECEIVE_BYTES = 256 * 1024;

/**
 * One HTTP/2 connection (cleartext, prior knowledge) that sends requests of one kind. What the server does not take yet (its
 * limit of streams, its window) waits here, and its waiting counts.
 */
export class LoadConnection {
  readonly #socket: Socket;
  readonly #traffic: Traffic;
  readonly #streams: OpenStreams;
  readonly #queue: { readonly key: number; readonly sinceMs: number }[] = [];
  #queueHead = 0;
  #out = Buffer.allocUnsafeSlow(OUT_BYTES_START);
  #outEnd = 0;
  #nextStreamId = 1;
  #streamsMax = Number.POSITIVE_INFINITY;
  #sendWindow = WINDOW_BYTES_DEFAULT;
  /** Of DATA, since the server was last given room for more. */
  #receivedBytes = 0;
  #onReady: () => void = () => {};
  #onFailure: (error: Error) => void = () => {};
  #failure: Error | undefined;
  #isClosing = false;

  private constructor(target: Target, traffic: Traffic, onAnswer: OnAnswer) {
    this.#traffic = traffic;
    this.#streams = new OpenStreams(traffic.kind, onAnswer);
    const reader = new FrameReader((received) => this.#receive(received));
    this.#socket = connect({
      ...('port' in target
        ? { port: target.port, host: '127.0.0.1' }
        : { path: target.socketPath }),
      noDelay: true,
      // One buffer for all that is read: a new one for each would be garbage to collect in the middle of a run.
      onread: {
        buffer: Buffer.allocUnsafeSlow(RECEIVE_BYTES),
        callback: (length, buffer) => {
          this.#read(reader, Buffer.from(buffer.buffer, buffer.byteOffset, length));
          return true;
        },
      },
    });
    this.#socket.on('error', (error) => this.#fail(error));
    this.#socket.on('close', () => this.#fail(new Error('the server closed the connection')));
  }

  /** Resolves when the server's settings have come. */
  static open(target: Target, traffic: Traffic, onAnswer: OnAnswer): Promise<LoadConnection> {
    const self = new LoadConnection(target, traffic, onAnswer);
    return new Promise((resolve, reject) => {
      self.#onReady = () => resolve(self);
      self.#onFailure = reject;
      self.#socket.write(
        Buffer.concat([
          PREFACE,
          settingsFrame([
            [SETTING.enablePush, 0],
            [SETTING.initialWindowSize, STREAM_WINDOW_BYTES],
          ]),
          windowUpdateFrame(0, CONNECTION_WINDOW_BYTES - WINDOW_BYTES_DEFAULT),
        ]),
      );
    });
  }

  /** Why nothing more will come, if so. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  get outstanding(): number {
    return this.#streams.size + this.#queue.length - this.#queueHead;
  }

  /** `sinceMs`: what its latency is counted from. Goes out with the next flush, or when the server takes it. */
  ask(key: number, sinceMs: number): void {
    if (this.#queue.length > this.#queueHead || !this.#mayOpen()) {
      this.#queue.push({ key, sinceMs });
    } else {
      this.#write(key, sinceMs);
    }
  }

  flush(): void {
    if (this.#outEnd === 0) return;
    this.#socket.write(Buffer.from(this.#out.subarray(0, this.#outEnd)));
    this.#outEnd = 0;
  }

  close(): void {
    this.#isClosing = true;
    this.#streams.forget();
    this.#queue.length = 0;
    this.#queueHead = 0;
    this.#socket.destroy();
  }

  #mayOpen(): boolean {
    return this.#streams.size < this.#streamsMax && this.#sendWindow >= this.#traffic.bodyBytes;
  }

  #write(key: number, sinceMs: number): void {
    const { requestBytesMax, bodyBytes } = this.#traffic;
    if (this.#out.length - this.#outEnd < requestBytesMax) this.#grow();
    const streamId = this.#nextStreamId;
    this.#nextStreamId += 2;
    const isFirst = streamId === 1;
    this.#outEnd = this.#traffic.write(this.#out, this.#outEnd, { key, streamId, isFirst });
    this.#sendWindow -= bodyBytes;
    this.#streams.open(streamId, sinceMs);
  }

  #grow(): void {
    const larger = Buffer.allocUnsafeSlow(2 * this.#out.length);
    this.#out.copy(larger, 0, 0, this.#outEnd);
    this.#out = larger;
  }

  #read(reader: FrameReader, chunk: Buffer): void {
    try {
      reader.push(chunk);
      while (this.#queue.length > this.#queueHead && this.#mayOpen()) this.#writeQueued();
      this.flush();
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #writeQueued(): void {
    const next = this.#queue[this.#queueHead];
    this.#queueHead += 1;
    if (this.#queueHead === this.#queue.length) {
      this.#queue.length = 0;
      this.#queueHead = 0;
    }
    if (next !== undefined) this.#write(next.key, next.sinceMs);
  }

  #receive(received: ReceivedFrame): void {
    const isAnswer = (received.flags & FLAG.ack) !== 0;
    switch (received.type) {
      case FRAME.headers:
        this.#streams.receiveHeaders(received);
        break;
      case FRAME.data:
        this.#makeRoom(received.end - received.start);
        this.#streams.receiveData(received);
        break;
      case FRAME.settings:
        if (!isAnswer) this.#receiveSettings(received);
        break;
      case FRAME.windowUpdate:
        if (received.streamId === 0) {
          this.#sendWindow += received.bytes.readUInt32BE(received.start) & 0x7fff_ffff;
        }
        break;
      case FRAME.ping:
        if (!isAnswer) this.#answerPing(received);
        break;
      case FRAME.resetStream:
        this.#streams.reset(received.streamId);
        break;
      case FRAME.goaway:
        throw new Error('the server sent GOAWAY in the middle of a run');
      case FRAME.continuation:
        throw new Error('the server sent CONTINUATION, which this client does not read');
    }
  }

  #makeRoom(bytes: number): void {
    this.#receivedBytes += bytes;
    if (this.#receivedBytes <= CONNECTION_WINDOW_BYTES / 2) return;
    this.#socket.write(windowUpdateFrame(0, this.#receivedBytes));
    this.#receivedBytes = 0;
  }

  #receiveSettings({ bytes, start, end }: ReceivedFrame): void {
    for (let at = start; at < end; at += 6) {
      const id = bytes.readUInt16BE(at);
      const value = bytes.readUInt32BE(at + 2);
      if (id === SETTING.maxConcurrentStreams) this.#streamsMax = value;
      if (id === SETTING.initialWindowSize && value < this.#traffic.bodyBytes) {
        throw new Error(`a request does not fit into the server's window of ${value} bytes`);
      }
    }
    this.#socket.write(frame({ type: FRAME.settings, flags: FLAG.ack, streamId: 0 }, NO_BYTES));
    this.#onReady();
  }

  #answerPing({ bytes, start, end }: ReceivedFrame): void {
    const payload = Buffer.from(bytes.subarray(start, end));
    this.#socket.write(frame({ type: FRAME.ping, flags: FLAG.ack, streamId: 0 }, payload));
  }

  /** Everything that is open is broken, which whoever drives will be told of at the end. */
  #fail(error: Error): void {
    if (this.#isClosing) return;
    this.#failure ??= error;
    this.#onFailure(error);
    this.#streams.breakAll();
    this.#socket.destroy();
  }
}

const NO_BYTES = new Uint8Array();
