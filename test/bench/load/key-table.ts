import { readFileSync } from 'node:fs';
import { KEY_TEXT_CHARS } from '../store/key-texts.ts';

/** The texts of keys, one after the other: a million of them as strings would be a heap to collect in the middle of a run. */
export class KeyTable {
  readonly #bytes: Buffer;

  constructor(bytes: Buffer) {
    if (bytes.length === 0 || bytes.length % KEY_TEXT_CHARS !== 0) {
      throw new RangeError(`a key table of ${bytes.length} bytes`);
    }
    this.#bytes = bytes;
  }

  static read(path: string): KeyTable {
    return new KeyTable(readFileSync(path));
  }

  get size(): number {
    return this.#bytes.length / KEY_TEXT_CHARS;
  }

  text(index: number): string {
    const start = index * KEY_TEXT_CHARS;
    return this.#bytes.toString('latin1', start, start + KEY_TEXT_CHARS);
  }

  copy(index: number, out: Buffer, at: number): void {
    const start = index * KEY_TEXT_CHARS;
    this.#bytes.copy(out, at, start, start + KEY_TEXT_CHARS);
  }
}
