import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createCheckClient } from '../../support/check-client.ts';
import type { BenchContext } from '../context.ts';
import { checkMessage } from '../load/check-message.ts';
import type { LatchkeySubject } from '../subjects/latchkey.ts';
import { type Subject, startReference } from '../subjects/subject.ts';

export interface References {
  /** grpc-js and proto-loader, allows everything. */
  readonly protoLoader: Subject;
  /** grpc-js, bytes in, constant bytes out. */
  readonly rawBytes: Subject;
  stop(): Promise<void>;
}

/** The two servers that latchkey is compared with; the second one answers with what latchkey answers. */
export async function startReferences(
  { pinning, store }: BenchContext,
  latchkey: LatchkeySubject,
): Promise<References> {
  const folder = await mkdtemp(join(tmpdir(), 'latchkey-bench-'));
  const answerFile = join(folder, 'answer');
  await writeFile(answerFile, await answerOf(latchkey, store.table.text(0)));
  const prefix = pinning.subject;
  const protoLoader = await startReference({
    ...{ script: 'proto-loader', name: 'grpc-js + proto-loader, allows everything', prefix },
  });
  const rawBytes = await startReference({
    ...{ script: 'raw-bytes', name: 'grpc-js, bytes, a constant answer', prefix },
    args: [answerFile],
  });
  return {
    ...{ protoLoader, rawBytes },
    async stop() {
      await protoLoader.stop();
      await rawBytes.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A real answer to a request of this key, read by another client than the generator. */
async function answerOf({ sidecar }: LatchkeySubject, key: string): Promise<Uint8Array> {
  const client = createCheckClient({ path: sidecar.socketPath });
  const outcome = await client.check(checkOf(key));
  client.close();
  if (outcome.kind === 'failure') throw new Error(`latchkey did not answer: ${outcome.details}`);
  return outcome.bytes;
}

/** The captured CheckRequest with this key. */
export function checkOf(key: string): Buffer {
  const message = checkMessage();
  const bytes = Buffer.from(message.bytes);
  bytes.write(key, message.key, 'latin1');
  return bytes;
}
