import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { adminPage, type EnvoyOptions, startEnvoyProcess } from '../../src/app/envoy-process.ts';
import { envoyPath } from '../support/envoy.ts';

/*
 * Starting and ending the process, where it goes wrong. The demo and every other e2e test rely on it to leave nothing
 * behind; that shows only with real processes.
 */

const MINIMAL = 'admin: { address: { socket_address: { address: 127.0.0.1, port_value: 0 } } }\n';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'latchkey-envoy-process-'));
  vi.stubEnv('TMPDIR', folder);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

function script(body: string): string {
  const path = join(folder, 'script');
  writeFileSync(path, `#!/bin/sh\n${body}\n`, { mode: 0o755 });
  return path;
}

/** What starting leaves in the folder for temporary files. */
const leftovers = (): readonly string[] => readdirSync(folder).filter((name) => name !== 'script');

async function failure(options: EnvoyOptions): Promise<string> {
  const start = await startEnvoyProcess(options);
  if (start.kind === 'running') {
    await start.envoy.stop();
    throw new Error('It started.');
  }
  return start.message;
}

describe('startEnvoyProcess', () => {
  it('tells what Envoy objects to in a configuration', async () => {
    const configText = 'static_resources: { nonsense: 1 }';
    expect(await failure({ binary: await envoyPath(), configText })).toContain('nonsense');
    expect(leftovers()).toEqual([]);
  });

  it('tells when a port is taken', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo; // It listens on TCP.
    const configText = MINIMAL.replace('port_value: 0', `port_value: ${port}`);
    const message = await failure({ binary: await envoyPath(), configText });
    server.close();
    expect(message).toContain('Address already in use');
    expect(leftovers()).toEqual([]);
  });

  it('tells when there is no such binary', async () => {
    const binary = join(folder, 'absent');
    expect(await failure({ binary, configText: '' })).toMatch(/^Envoy did not start: .*ENOENT/);
    expect(leftovers()).toEqual([]);
  });

  it('ends a process that neither gets ready nor obeys SIGTERM', async () => {
    const binary = script(`trap '' TERM\necho "pid $$" >&2\nwhile :; do /bin/sleep 0.05; done`);
    const options = { binary, configText: '', readyTimeoutMs: 200, stopTimeoutMs: 100 };
    const message = await failure(options);
    expect(message).toContain('not ready within 200 ms');
    const pid = Number(/pid (\d+)/.exec(message)?.[1]);
    expect(() => process.kill(pid, 0)).toThrow('ESRCH');
    expect(leftovers()).toEqual([]);
  });

  it('keeps the last lines of the log only', async () => {
    const binary = script('i=0; while [ $i -lt 2000 ]; do i=$((i+1)); echo "line $i" >&2; done');
    const message = await failure({ binary, configText: '' });
    expect(message.split('\n').slice(1)).toEqual(
      Array.from({ length: 10 }, (_, index) => `line ${1991 + index}`),
    );
  });
});

it('a running Envoy is gone after stop, which may be called twice', async () => {
  const binary = await envoyPath();
  const listener = `static_resources: { listeners: [{ name: a, address: { socket_address: { address: 127.0.0.1, port_value: 0 } }, filter_chains: [{ filters: [{ name: echo, typed_config: { '@type': type.googleapis.com/envoy.extensions.filters.network.echo.v3.Echo } }] }] }] }\n`;
  const start = await startEnvoyProcess({ binary, configText: MINIMAL + listener, concurrency: 2 });
  if (start.kind === 'failed') throw new Error(start.message);
  const { port, adminPort, exited, stop } = start.envoy;
  expect(await adminPage(adminPort, '/listeners')).toContain(`:${port}`);
  await Promise.all([stop(), stop()]);
  expect(await exited).toBe('exit code 0');
  await expect(adminPage(adminPort, '/ready')).rejects.toThrow('ECONNREFUSED');
  expect(leftovers()).toEqual([]);
});
