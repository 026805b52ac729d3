import { createReadStream } from 'node:fs';
import { type Result, refusal } from '../accounts/result.ts';
import type { Terminal } from '../cli/ports.ts';

/** The process's own terminal. */
export const processTerminal: Terminal = {
  out: (line) => {
    process.stdout.write(`${line}\n`);
  },
  err: (line) => {
    process.stderr.write(`${line}\n`);
  },
  read: readText,
};

async function readText(path: string, bytesMax: number): Promise<Result<string>> {
  const name = path === '-' ? 'Standard input' : path;
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    const stream: AsyncIterable<Buffer> = path === '-' ? process.stdin : createReadStream(path);
    for await (const chunk of stream) {
      bytes += chunk.length;
      if (bytes > bytesMax) {
        return refusal('invalid', `${name} is larger than ${bytesMax} bytes.`);
      }
      chunks.push(chunk);
    }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
    return refusal('invalid', `${name} cannot be read (${code}).`);
  }
  try {
    return {
      kind: 'ok',
      value: new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks)),
    };
  } catch {
    return refusal('invalid', `${name} is not UTF-8 text.`);
  }
}
