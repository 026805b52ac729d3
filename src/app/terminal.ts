import { createReadStream } from 'node:fs';
import { type Result, refusal } from '../accounts/result.ts';
import { jsonLine, printable } from '../cli/output.ts';
import type { Terminal } from '../cli/ports.ts';

/** The process's own terminal. */
export function createProcessTerminal(): Terminal {
  watchOutputs();
  return {
    out: (line) => {
      process.stdout.write(`${printable(line)}\n`);
    },
    err: (line) => {
      process.stderr.write(`${printable(line)}\n`);
    },
    json: (value) => {
      process.stdout.write(`${jsonLine(value)}\n`);
    },
    read: readText,
  };
}

/** What is written is handed to the operating system, or nobody is there to read it. */
export function outputsFlushed(): Promise<unknown> {
  const flushed = (stream: NodeJS.WriteStream): Promise<void> =>
    new Promise((resolve) => {
      stream.write('', () => resolve());
    });
  return Promise.all([flushed(process.stdout), flushed(process.stderr)]);
}

/**
 * Without a listener the end of a reader (`| head -1`) would end the process with a stack trace. Whoever stops reading
 * has read enough; but a full disk has lost the result, perhaps a key that is not shown again.
 */
function watchOutputs(): void {
  process.stdout.on('error', (error) => {
    const code = codeOf(error);
    if (code === 'EPIPE') return;
    process.stderr.write(`latchkey: standard output cannot be written (${code}).\n`);
    process.once('exit', () => {
      process.exitCode ||= 1;
    });
  });
  // There is nowhere left to tell it.
  process.stderr.on('error', () => {});
}

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
    return refusal('invalid', `${name} cannot be read (${codeOf(error)}).`);
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

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
}
