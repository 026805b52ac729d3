import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type * as Embedded from '../../src/postgres/embedded.ts';

/*
 * A process of its own that runs an embedded server: to be killed, interrupted, or run as another user. Its one argument
 * is a JSON object; it answers with one line of JSON, and stops the server when it reads a line.
 */
export interface EmbeddedChildRequest {
  /** A folder with this project's src/ and node_modules/. */
  readonly projectDir: string;
  readonly dataDir: string;
  readonly binariesCacheDir: string;
  /** To become, from root, before anything is imported. */
  readonly uid?: number;
}

export type EmbeddedChildAnswer =
  | { readonly kind: 'ready'; readonly url: string; readonly port: number; readonly pid: number }
  | { readonly kind: 'failed'; readonly name: string; readonly message: string };

const request = JSON.parse(process.argv[2] ?? '{}') as EmbeddedChildRequest;
if (request.uid !== undefined) {
  process.setgroups?.([]);
  process.setgid?.(request.uid);
  process.setuid?.(request.uid);
}

const answer = (value: EmbeddedChildAnswer) => process.stdout.write(`${JSON.stringify(value)}\n`);

try {
  const source = join(request.projectDir, 'src', 'postgres', 'embedded.ts');
  const { startEmbeddedPostgres } = (await import(source)) as typeof Embedded;
  const { dataDir, binariesCacheDir } = request;
  const server = await startEmbeddedPostgres({ dataDir, binariesCacheDir, log: () => {} });
  answer({ kind: 'ready', url: server.url, port: server.port, pid: server.pid });
  createInterface({ input: process.stdin }).once('line', () => {
    void server.stop().then(() => process.exit(0));
  });
} catch (error) {
  const { name, message } = error as Error;
  answer({ kind: 'failed', name, message });
}
