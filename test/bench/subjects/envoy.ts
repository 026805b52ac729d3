import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Document, parseDocument } from 'yaml';
import { adaptEnvoyConfig } from '../../../src/app/envoy-config.ts';
import { startEnvoyProcess } from '../../../src/app/envoy-process.ts';
import { ENVOY_YAML, envoyPath } from '../../support/envoy.ts';
import type { Subject } from './subject.ts';

export interface EnvoySetup {
  readonly name: string;
  /** Whom the filter asks; absent: the filter is taken out. */
  readonly asks?: Subject;
  /** What pins it. */
  readonly prefix: readonly string[];
}

/**
 * The reference envoy.yaml with one worker. It answers each request that passes by itself, so that no upstream is in the way
 * (the filter stands before that), and its access log, written as ever, goes where nobody has to read it.
 */
export async function startEnvoySubject(setup: EnvoySetup): Promise<Subject> {
  const { asks, prefix, name } = setup;
  const folder = await mkdtemp(join(tmpdir(), 'latchkey-bench-'));
  const pidFile = join(folder, 'pid');
  const binary = join(folder, 'envoy');
  const command = [...prefix, await envoyPath()].map((word) => `'${word}'`).join(' ');
  await writeFile(binary, `#!/bin/sh\necho $$ > '${pidFile}'\nexec ${command} "$@"\n`);
  await chmod(binary, 0o755);
  const start = await startEnvoyProcess({
    binary,
    configText: adapt(await readFile(ENVOY_YAML, 'utf8'), asks),
  });
  if (start.kind === 'failed') {
    await rm(folder, { recursive: true, force: true });
    throw new Error(start.message);
  }
  const { envoy } = start;
  const pid = Number(await readFile(pidFile, 'utf8'));
  return {
    ...{ name, target: { port: envoy.port }, pids: [pid, ...(asks?.pids ?? [])] },
    // Envoy collects no garbage.
    stdout: () => [],
    async stop() {
      await envoy.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

const MANAGER = [
  ...['static_resources', 'listeners', 0, 'filter_chains', 0],
  ...['filters', 0, 'typed_config'],
];

function adapt(text: string, asks: Subject | undefined): string {
  const document = parseDocument(
    adaptEnvoyConfig(text, {
      listener: { address: '127.0.0.1', port: 0 },
      admin: { port: 0 },
      ...(asks && 'socketPath' in asks.target && { check: [asks.target] }),
    }),
  );
  document.setIn(
    [...MANAGER, 'route_config', 'virtual_hosts', 0, 'routes'],
    [{ match: { prefix: '/' }, direct_response: { status: 200, body: { inline_string: 'ok' } } }],
  );
  logToNobody(document);
  if (asks === undefined) document.deleteIn([...MANAGER, 'http_filters', 0]);
  return document.toString({ lineWidth: 0 });
}

function logToNobody(document: Document): void {
  const log = [...MANAGER, 'access_log', 0];
  document.setIn([...log, 'name'], 'envoy.access_loggers.file');
  const type = 'type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog';
  document.setIn([...log, 'typed_config', '@type'], type);
  document.setIn([...log, 'typed_config', 'path'], '/dev/null');
}
