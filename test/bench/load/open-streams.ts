import { type AnswerDraft, type Verdict, verdictOf } from './answer.ts';
import { FLAG, type ReceivedFrame } from './frames.ts';
import { type Header, HpackDecoder } from './hpack.ts';
import type { TrafficSpec } from './traffic.ts';

/** What a request was waited for since, and what came of it. */
export type OnAnswer = (verdict: Verdict, sinceMs: number) => void;

interface Waiting {
  readonly sinceMs: number;
  readonly answer: AnswerDraft;
}

/** The requests of one connection that are not answered yet, and what has come of their answers. Every answer is read in full. */
export class OpenStreams {
  readonly #kind: TrafficSpec['kind'];
  readonly #onAnswer: OnAnswer;
  readonly #hpack = new HpackDecoder();
  readonly #waiting = new Map<number, Waiting>();

  constructor(kind: TrafficSpec['kind'], onAnswer: OnAnswer) {
    this.#kind = kind;
    this.#onAnswer = onAnswer;
  }

  get size(): number {
    return this.#waiting.size;
  }

  open(streamId: number, sinceMs: number): void {
    this.#waiting.set(streamId, { sinceMs, answer: newDraft() });
  }

  /** @throws Error for a form that no server here uses. */
  receiveHeaders({ streamId, flags, bytes, start, end }: ReceivedFrame): void {
    if ((flags & (FLAG.padded | FLAG.priority)) !== 0 || (flags & FLAG.endHeaders) === 0) {
      throw new Error('the server sent HEADERS in a form that this client does not read');
    }
    const answer = this.#waiting.get(streamId)?.answer ?? newDraft();
    // Whoever it is for: the next blocks refer to what this one says.
    this.#hpack.decode({ bytes, start, end }, (header) => note(header, answer));
    if ((flags & FLAG.endStream) !== 0) this.#finish(streamId);
  }

  /** @throws Error for a form that no server here uses. */
  receiveData({ streamId, flags, bytes, start, end }: ReceivedFrame): void {
    if ((flags & FLAG.padded) !== 0) throw new Error('the server sent padded DATA');
    const answer = this.#waiting.get(streamId)?.answer;
    if (answer !== undefined && end > start) {
      const piece = Buffer.from(bytes.subarray(start, end));
      answer.body = answer.body === undefined ? piece : Buffer.concat([answer.body, piece]);
    }
    if ((flags & FLAG.endStream) !== 0) this.#finish(streamId);
  }

  /** The server gave it up. */
  reset(streamId: number): void {
    this.#finish(streamId, 'broken');
  }

  breakAll(): void {
    for (const streamId of [...this.#waiting.keys()]) this.#finish(streamId, 'broken');
  }

  /** Nobody is told of what is still open. */
  forget(): void {
    this.#waiting.clear();
  }

  #finish(streamId: number, given?: Verdict): void {
    const waiting = this.#waiting.get(streamId);
    if (waiting === undefined) return;
    this.#waiting.delete(streamId);
    this.#onAnswer(given ?? verdictOf(this.#kind, waiting.answer), waiting.sinceMs);
  }
}

const newDraft = (): AnswerDraft => ({ httpStatus: 0, grpcStatus: -1, body: undefined });

function note([name, value]: Header, answer: AnswerDraft): void {
  if (name === ':status') answer.httpStatus = Number(value);
  else if (name === 'grpc-status') answer.grpcStatus = Number(value);
}
