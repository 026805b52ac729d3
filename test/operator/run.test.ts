import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { Agent, get } from 'node:http';
import { type ClientHttp2Session, connect } from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ENVOY_VERSION } from '../../src/app/envoy-binary.ts';
import type { RunningEnvoy } from '../../src/app/envoy-process.ts';
import type { StartedProcess } from '../support/child-process.ts';
import { envoyPath } from '../support/envoy.ts';
import { http1Request } from '../support/http-clients.ts';
import { changeUrl, startTestPostgres, type TestPostgres } from '../support/postgres.ts';
import { latchkey } from '../support/sidecar.ts';
import {
  configFile,
  container,
  type Manifest,
  podOf,
  render,
  variable,
} from './support/manifests.ts';
import { type PodProcesses, preparePod } from './support/pod-processes.ts';

/*
 * What the manifests say, done on this machine: the very arguments, variables, files, probes and hooks, on a real
 * Postgres and a real Envoy. What only a cluster can show (mounts, users, the kubelet's order) is not shown here.
 */

/** What docs/kubernetes.md promises to the service. */
const SERVICE_STOP_SECONDS = 25;
/** Envoy leaves at once; the kubelet needs a moment between containers. */
const ENVOY_STOP_SECONDS = 1;

/**
 * Load balancers have forgotten the pod after this, and HTTP/2 clients have had both of Envoy's notices (its drain_timeout
 * is 5 s).
 */
const CLIENTS_LEAVE_SECONDS = 10;

const PEPPERS = `1:${Buffer.alloc(32, 7).toString('base64')}\n`;

let manifests: readonly Manifest[];
let postgres: TestPostgres;
let folder: string;

beforeAll(async () => {
  manifests = await render('base');
  postgres = await startTestPostgres();
  folder = await mkdtemp(join(tmpdir(), 'latchkey-operator-'));
});
afterAll(async () => {
  await postgres?.close();
  await rm(folder, { recursive: true, force: true });
});

describe('envoy.yaml of the ConfigMap', () => {
  it.each(['1.36.4', ENVOY_VERSION])(
    'is accepted by Envoy %s, with the arguments of its container',
    async (version) => {
      const file = join(folder, 'envoy.yaml');
      await writeFile(file, configFile(manifests, 'latchkey-envoy', 'envoy.yaml'));
      const { args } = container(podOf(manifests, 'Deployment'), 'envoy');
      const here = args.map((arg) => (arg.endsWith('/envoy.yaml') ? file : arg));
      const { stdout } = await promisify(execFile)(await envoyPath(version), [
        ...here,
        '--mode',
        'validate',
      ]);
      expect(stdout).toContain('OK');
    },
  );
});

describe('the policies', () => {
  it.each(['base', 'overlays/example'] as const)(
    'of %s are valid, without a warning',
    async (kustomization) => {
      const text = configFile(await render(kustomization), 'latchkey-policy', 'policy.yaml');
      const { code, stdout } = await latchkey(['policy', 'check', '--json', '-'], {}, text);
      expect(JSON.parse(stdout)).toMatchObject({ errors: [], warnings: [] });
      expect(code).toBe(0);
    },
  );
});

describe('the Job', () => {
  it('migrates an empty database with the rights of latchkey_migrate, and finds nothing to do the next time', async () => {
    await postgres.sql('CREATE DATABASE fresh');
    const login = await postgres.createLogin('deploy', 'latchkey_migrate');
    await postgres.sql('GRANT CREATE ON DATABASE fresh TO latchkey_migrate');
    const migrate = container(podOf(await render('migrate'), 'Job'), 'migrate');
    const file = join(folder, 'migrate-url');
    await writeFile(file, `${changeUrl(login, { database: 'fresh' })}\n`);
    expect(variable(migrate, 'LATCHKEY_DATABASE_URL_FILE')).toMatch(/^\/etc\/latchkey\/secrets\//);
    for (const expected of [/./, /^$/]) {
      const run = await latchkey([...migrate.args, '--json'], { LATCHKEY_DATABASE_URL_FILE: file });
      expect(run, run.stderr).toMatchObject({ code: 0 });
      expect(JSON.parse(run.stdout).applied.join()).toMatch(expected);
    }
  });
});

describe('the pod', () => {
  let pod: PodProcesses;
  let sidecar: StartedProcess;
  let envoy: RunningEnvoy;
  let service: StartedProcess;
  let key: string;

  const request = (path: string, secret?: string) =>
    http1Request(envoy.port, {
      path,
      headers: secret === undefined ? [] : [['authorization', `Bearer ${secret}`]],
    });

  beforeAll(async () => {
    const url = await postgres.createLogin('sidecar', 'latchkey_check');
    pod = await preparePod(manifests, { 'database-url': `${url}\n`, peppers: PEPPERS });
    key = await createKey();
  });
  afterAll(() => pod?.stop());

  /** As an operator would: with the rights of latchkey_api, the same peppers and the same policy. */
  async function createKey(): Promise<string> {
    const url = join(folder, 'api-url');
    await writeFile(url, await postgres.createLogin('api', 'latchkey_api'));
    const variables = { ...pod.variables, LATCHKEY_DATABASE_URL_FILE: url };
    expect(await latchkey(['orgs', 'create', 'acme'], variables)).toMatchObject({ code: 0 });
    const wish = ['--org', 'acme', '--name', 'ci', '--scope', 'read'];
    const { stdout } = await latchkey(['keys', 'create', ...wish], variables);
    return stdout.trim();
  }

  it('is configured without a problem or a warning', async () => {
    const { code, stdout, stderr } = await latchkey(['config', 'check', '--json'], pod.variables);
    expect(JSON.parse(stdout), stderr).toMatchObject({ problems: [], warnings: [] });
    expect(code).toBe(0);
  });

  it('starts in order: a hook that finds no Envoy yet is no error', async () => {
    expect(await pod.runHook('postStart')).toBe(0);
    sidecar = await pod.startLatchkey();
    envoy = await pod.startEnvoy();
    service = await pod.startService();
    expect((await stat(pod.socketPath)).mode & 0o777).toBe(0o660);
  });

  it('passes its probes, those that come through Envoy without a key', async () => {
    for (const probe of ['startupProbe', 'readinessProbe', 'livenessProbe'] as const) {
      expect(await pod.probe('latchkey', probe), probe).toBe(200);
    }
    expect(await pod.probe('app', 'readinessProbe')).toBe(200);
  });

  it('lets a key through as its principal, and nobody else', async () => {
    const allowed = await request('/things', key);
    expect(allowed.status).toBe(200);
    const seen = JSON.parse(allowed.body).headers;
    expect(seen['x-principal-scopes']).toBe('read');
    expect(seen).not.toHaveProperty('authorization');
    expect((await request('/things')).status).toBe(401);
    expect((await request('/things', `${key}x`)).status).toBe(401);
    const post = { method: 'POST', path: '/things', headers: [['x-api-key', key]] as const };
    expect((await http1Request(envoy.port, post)).status).toBe(403);
  });

  it('begins its end by sending clients away: each answer ends its connection, none is lost', async () => {
    const http1 = new Agent({ keepAlive: true, maxSockets: 1 });
    const http2 = connect(`http://127.0.0.1:${envoy.port}`);
    const gone = once(http2, 'close');
    const before = [await overHttp1(http1), await overHttp2(http2)];
    expect(before).toEqual([{ status: 200, connection: 'keep-alive', isReused: false }, 200]);
    expect(await pod.runHook('preStop')).toBe(0);
    const after = [await overHttp1(http1), await overHttp2(http2)];
    expect(after).toEqual([{ status: 200, connection: 'close', isReused: true }, 200]);
    await gone;
    http1.destroy();
  });

  it('takes that back where latchkey alone was restarted', async () => {
    const connectionOf = async () => (await request('/things', key)).header('connection');
    expect(await connectionOf()).toBe('close');
    expect(await pod.runHook('postStart')).toBe(0);
    expect(await connectionOf()).toBeUndefined();
    expect(await pod.runHook('preStop')).toBe(0);
  });

  it('ends in order and in time: the service, Envoy, latchkey, within the grace of the pod', async () => {
    service.kill('SIGTERM');
    expect(await service.exited).toEqual({ code: 0, signal: null });
    await envoy.stop();
    sidecar.kill('SIGTERM');
    expect(await sidecar.exited).toEqual({ code: 0, signal: null });
    const stopping = sidecar.stdout().find((line) => line.includes('budget_ms')) ?? '{}';
    const latchkeySeconds = JSON.parse(stopping).budget_ms / 1000;
    const rendered = podOf(manifests, 'Deployment');
    const preStopSeconds = container(rendered, 'app').lifecycle?.preStop?.sleep?.seconds ?? 0;
    expect(preStopSeconds).toBeGreaterThanOrEqual(CLIENTS_LEAVE_SECONDS);
    expect(rendered.spec.terminationGracePeriodSeconds).toBeGreaterThan(
      preStopSeconds + SERVICE_STOP_SECONDS + ENVOY_STOP_SECONDS + latchkeySeconds,
    );
  });

  /** On the agent's one connection. */
  function overHttp1(agent: Agent): Promise<object> {
    const headers = { authorization: `Bearer ${key}` };
    return new Promise((resolve, reject) => {
      const call = get({ port: envoy.port, path: '/things', agent, headers }, (response) => {
        const { statusCode: status, headers: answered } = response;
        const { connection = 'keep-alive' } = answered;
        response.resume().once('end', () => {
          resolve({ status, connection, isReused: call.reusedSocket });
        });
      });
      call.once('error', reject);
    });
  }

  async function overHttp2(session: ClientHttp2Session): Promise<number | undefined> {
    const stream = session.request({ ':path': '/things', authorization: `Bearer ${key}` });
    const [headers] = await once(stream, 'response');
    stream.resume();
    await once(stream, 'end');
    return headers[':status'];
  }
});
