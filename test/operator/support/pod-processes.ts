import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { get } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { adaptEnvoyConfig } from '../../../src/app/envoy-config.ts';
import { type RunningEnvoy, startEnvoyProcess } from '../../../src/app/envoy-process.ts';
import { type StartedProcess, startProcess } from '../../support/child-process.ts';
import { envoyPath } from '../../support/envoy.ts';
import type { Variables } from '../../support/sidecar.ts';
import { until } from '../../support/until.ts';
import { type Container, configFile, container, type Manifest, podOf } from './manifests.ts';

const ROOT = join(import.meta.dirname, '../../..');
const ENV = { PATH: [dirname(process.execPath), process.env['PATH']].join(delimiter) };

/** The ports that the manifests and envoy.yaml name; here each is a free one. */
const UPSTREAM_PORT = 8080;
const ENVOY_ADMIN_PORT = 9901;

/** What the Secrets of the manifests hold. */
export interface PodSecrets {
  readonly 'database-url': string;
  readonly peppers: string;
}

/** The containers of the rendered Deployment as processes of this machine: their commands, variables and files. */
export interface PodProcesses {
  /** The variables of the latchkey container, with the places of this machine. */
  readonly variables: Variables;
  readonly socketPath: string;
  startLatchkey(): Promise<StartedProcess>;
  startEnvoy(): Promise<RunningEnvoy>;
  startService(): Promise<StartedProcess>;
  /** Runs a hook of the latchkey container to its end and gives its exit code. */
  runHook(hook: 'postStart' | 'preStop'): Promise<number | null>;
  /** The status of an HTTP probe of a container. */
  probe(
    container: string,
    probe: 'startupProbe' | 'readinessProbe' | 'livenessProbe',
  ): Promise<number>;
  stop(): Promise<void>;
}

/** Mounts the ConfigMaps and the Secret as folders of this machine; nothing is started yet. */
export async function preparePod(
  manifests: readonly Manifest[],
  secrets: PodSecrets,
): Promise<PodProcesses> {
  const pod = podOf(manifests, 'Deployment');
  const latchkey = container(pod, 'latchkey');
  const service = container(pod, 'app');
  const folder = await mkdtemp(join(tmpdir(), 'latchkey-pod-'));
  const places = new Map(
    latchkey.volumeMounts.map(({ name, mountPath }) => [mountPath, join(folder, name)]),
  );
  for (const place of places.values()) await mkdir(place);
  const inMount = (volume: string, file: string): string => join(folder, volume, file);
  const policy = configFile(manifests, 'latchkey-policy', 'policy.yaml');
  await writeFile(inMount('latchkey-policy', 'policy.yaml'), policy);
  for (const [key, value] of Object.entries(secrets)) {
    await writeFile(inMount('latchkey-secrets', key), value);
  }
  const ports = { admin: await freePort(), upstream: await freePort() };
  const variables = variablesHere(latchkey, { places, adminPort: ports.admin });
  const socketPath = inMount('latchkey-socket', 'check.sock');
  const stops: (() => Promise<unknown>)[] = [];
  let envoy: RunningEnvoy | undefined;

  const start = (command: string, args: readonly string[], env: Record<string, string>) => {
    const started = startProcess(command, args, { env });
    stops.push(() => {
      started.kill('SIGKILL');
      return started.exited;
    });
    return started;
  };
  return {
    variables,
    socketPath,
    async startLatchkey() {
      const main = join(ROOT, 'src/main.ts');
      const args = [main, ...latchkey.args];
      const started = start(process.execPath, args, { ...ENV, ...variables });
      await until('latchkey is ready', async () => (await status(ports.admin, '/readyz')) === 200);
      return started;
    },
    async startEnvoy() {
      envoy = await envoyHere(manifests, { socketPath, upstreamPort: ports.upstream });
      stops.push(envoy.stop);
      return envoy;
    },
    async startService() {
      const [program = '', ...rest] = [...service.command, ...service.args];
      const args = rest.map((arg) => withPort(arg, UPSTREAM_PORT, ports.upstream));
      const started = start(program, args, ENV);
      await until('the service answers', async () => (await status(ports.upstream, '/')) === 200);
      return started;
    },
    async runHook(hook) {
      const [program = '', ...rest] = latchkey.lifecycle?.[hook]?.exec?.command ?? [];
      const adminPort = envoy?.adminPort ?? (await freePort());
      const args = rest.map((arg) => withPort(arg, ENVOY_ADMIN_PORT, adminPort));
      const { code } = await start(program, args, ENV).exited;
      return code;
    },
    probe(name, kind) {
      const { path } = container(pod, name)[kind]?.httpGet ?? { path: '' };
      const port = name === 'latchkey' ? ports.admin : (envoy?.port ?? 0);
      return status(port, path);
    },
    async stop() {
      for (const stop of stops.reverse()) await stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** The rendered envoy.yaml, changed in its addresses and paths alone, with the container's number of workers. */
async function envoyHere(
  manifests: readonly Manifest[],
  { socketPath, upstreamPort }: { readonly socketPath: string; readonly upstreamPort: number },
): Promise<RunningEnvoy> {
  const { args } = container(podOf(manifests, 'Deployment'), 'envoy');
  const configText = adaptEnvoyConfig(configFile(manifests, 'latchkey-envoy', 'envoy.yaml'), {
    listener: { address: '127.0.0.1', port: 0 },
    admin: { port: 0 },
    check: [{ socketPath }],
    upstream: { port: upstreamPort },
  });
  const concurrency = Number(args[args.indexOf('--concurrency') + 1]);
  const start = await startEnvoyProcess({ binary: await envoyPath(), configText, concurrency });
  if (start.kind === 'failed') throw new Error(start.message);
  return start.envoy;
}

/** The container's variables; what they name under a mount is in that mount's folder here. */
function variablesHere(
  { env }: Container,
  { places, adminPort }: { places: ReadonlyMap<string, string>; adminPort: number },
): Variables {
  const here = env.map(({ name, value }) => {
    let text = value.replace(/^0\.0\.0\.0:\d+$/, `127.0.0.1:${adminPort}`);
    for (const [mountPath, place] of places) text = text.replace(mountPath, place);
    return [name, text];
  });
  return Object.fromEntries(here);
}

function withPort(text: string, port: number, here: number): string {
  return text.replaceAll(new RegExp(`\\b${port}\\b`, 'g'), String(here));
}

/** 0: nobody answers. */
function status(port: number, path: string): Promise<number> {
  return new Promise((resolve) => {
    const request = get(
      { host: '127.0.0.1', port, path, agent: false, timeout: 2000 },
      (answer) => {
        answer.resume();
        resolve(answer.statusCode ?? 0);
      },
    );
    request.once('timeout', () => request.destroy());
    request.once('error', () => resolve(0));
  });
}

/** Taken and given back: nobody else asks for this port until it is taken again. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo; // It listens on TCP.
  await new Promise((resolve) => server.close(resolve));
  return port;
}
