import {
  copyFile,
  mkdir,
  mkdtemp,
  readFile,
  rename,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Stack, startStack } from '../support/e2e-stack.ts';
import { startEnvoy, type TestEnvoy } from '../support/envoy.ts';
import { E2E_POLICY, type Sidecar, startSidecar } from '../support/sidecar.ts';
import { until } from '../support/until.ts';

/*
 * A policy that changes while requests come in: by an editor, by Kubernetes, and by SIGHUP; taken whole, or not at all.
 */

const SUCCESSFUL = 'latchkey_policy_last_reload_successful';
const GENERATION = 'latchkey_policy_generation';

let stack: Stack;
let envoy: TestEnvoy;
let sidecar: Sidecar;
let original: string;

beforeAll(async () => {
  stack = await startStack();
  ({ sidecar } = stack);
  envoy = await stack.addEnvoy();
  original = await readFile(E2E_POLICY, 'utf8');
});
afterAll(() => stack?.stop());

const statusOf = async (text: string, path = '/v1/read', via = envoy): Promise<number> => {
  const response = await via.request({ path, headers: [['x-api-key', text]] });
  return response.status;
};

const IMPLIES = 'admin: { implies: [read, write] }';

/** Puts a text in the place of the policy and waits until it is in force. */
async function inForce(text: string): Promise<void> {
  const generation = await sidecar.metric(GENERATION);
  await writeFile(sidecar.policyFile, text);
  await until('the new policy', async () => (await sidecar.metric(GENERATION)) > generation);
}

it('a warm key loses a scope as soon as nothing implies it any more, and gets it back', async () => {
  const admin = await stack.keys.create({ scopes: ['admin'] });
  expect(await statusOf(admin.text)).toBe(200);
  expect(original).toContain(IMPLIES);
  const lookups = await sidecar.metric('latchkey_lookups_total{outcome="found"}');

  await inForce(original.replace(IMPLIES, 'admin: { implies: [write] }'));
  const refused = await envoy.request({ path: '/v1/read', headers: [['x-api-key', admin.text]] });
  expect(refused.status).toBe(403);
  expect(refused.json()).toMatchObject({ provided_scopes: ['admin', 'write'] });
  expect(await statusOf(admin.text, '/v1/admin')).toBe(200);

  await inForce(original);
  expect(await statusOf(admin.text)).toBe(200);
  // All of it out of memory.
  expect(await sidecar.metric('latchkey_lookups_total{outcome="found"}')).toBe(lookups);
});

it('a broken file keeps the policy, tells every error with its line, and turns the metric', async () => {
  const key = await stack.keys.create();
  const generation = await sidecar.metric(GENERATION);
  const sha256 = policyInfo(await sidecar.metrics());
  const broken = original
    .replace('realm: e2e', 'realm: "a\\"b"')
    .replace('methods: [GET] },            scopes: [read]', 'methods: [get] }, scope: [read]');
  await writeFile(sidecar.policyFile, broken);
  await until('the rejection', async () => (await sidecar.metric(SUCCESSFUL)) === 0);

  expect(await statusOf(key.text)).toBe(200);
  expect(await statusOf(key.text, '/v1/admin')).toBe(403);
  expect(await sidecar.metric(GENERATION)).toBe(generation);
  expect(policyInfo(await sidecar.metrics())).toBe(sha256);
  const lines = sidecar
    .log()
    .filter(({ message }) => String(message).startsWith('policy rejected'));
  const problems = lines.map(({ problem }) => String(problem));
  for (const word of ['realm', 'methods', 'scope']) {
    const found = problems.find((problem) => problem.includes(word)) ?? '';
    const line = Number(/^(\d+):\d+ /.exec(found)?.[1]);
    expect(broken.split('\n')[line - 1]).toContain(word);
  }
  expect(new Set(lines.map(({ level }) => level))).toEqual(new Set(['error']));
  expect(await sidecar.readyz()).toEqual({ status: 200, state: 'degraded' });

  await writeFile(sidecar.policyFile, original);
  await until('all is well again', async () => (await sidecar.metric(SUCCESSFUL)) === 1);
  await sidecar.reached('ready');
});

const policyInfo = (metrics: string): string | undefined =>
  /latchkey_policy_info\{sha256="([0-9a-f]{64})"\} 1/.exec(metrics)?.[1];

it('a file that is gone keeps the policy', async () => {
  const key = await stack.keys.create();
  await rm(sidecar.policyFile);
  await until('the rejection', async () => (await sidecar.metric(SUCCESSFUL)) === 0);
  expect(await statusOf(key.text)).toBe(200);
  await writeFile(sidecar.policyFile, original);
  await until('all is well again', async () => (await sidecar.metric(SUCCESSFUL)) === 1);
});

it('SIGHUP has the file read at once, and told again', async () => {
  const broken = original.replace('version: 1', 'version: 7');
  await writeFile(sidecar.policyFile, broken);
  await until('the rejection', async () => (await sidecar.metric(SUCCESSFUL)) === 0);
  const rejections = () =>
    sidecar.log().filter(({ message }) => String(message).startsWith('policy rejected')).length;
  const before = rejections();
  sidecar.signal('SIGHUP');
  await until('told again', () => rejections() > before);
  await writeFile(sidecar.policyFile, original);
  await until('all is well again', async () => (await sidecar.metric(SUCCESSFUL)) === 1);
});

it('a limit on failed authentications counts from the moment it is in force', async () => {
  const good = await stack.keys.create();
  expect(original).toContain('failed_authentications: { quota: 1000000, window: 1m }');
  await inForce(
    original.replace(
      'failed_authentications: { quota: 1000000',
      'failed_authentications: { quota: 3',
    ),
  );
  const statuses: number[] = [];
  for (let count = 0; count < 5; count += 1) statuses.push(await statusOf(`${good.text}x`));
  expect(statuses).toEqual([401, 401, 401, 429, 429]);
  const refused = await envoy.request({ path: '/v1/read', headers: [['x-api-key', 'x']] });
  expect(refused.status).toBe(429);
  expect(Number(refused.header('retry-after'))).toBeGreaterThanOrEqual(1);
  expect(refused.json()).toMatchObject({ code: 'too_many_failures', status: 429 });
  expect(refused.header('x-ratelimit-limit')).toBeUndefined();
  // Whoever guesses does not lock out others at the same address, whether memory knows their keys or not.
  expect(await statusOf(good.text)).toBe(200);
  expect(await statusOf((await stack.keys.create()).text)).toBe(200);
  const { code } = await envoy.grpcRequest({ headers: [['x-api-key', 'x']] });
  expect(code).toBe(8);
  await inForce(original);
  expect(await statusOf('x')).toBe(401);
});

it('under load every answer is of the one policy or of the other', async () => {
  const key = await stack.keys.create();
  const stricter = original.replace(
    '{ path: /v1/read, methods: [GET] },            scopes: [read]',
    '{ path: /v1/read, methods: [GET] }, scopes: [admin]',
  );
  expect(stricter).not.toBe(original);
  let isOver = false;
  const seen: number[] = [];
  const clients = Array.from({ length: 4 }, async () => {
    while (!isOver) seen.push(await statusOf(key.text));
  });
  await inForce(stricter);
  const switched = seen.length;
  await until('more requests', () => seen.length > switched + 50);
  await inForce(original);
  await until('more requests', () => seen.at(-1) === 200);
  isOver = true;
  await Promise.all(clients);
  expect(new Set(seen)).toEqual(new Set([200, 403]));
});

describe('a ConfigMap of Kubernetes', () => {
  it('is followed through the swap of its link', async () => {
    const mount = await mkdtemp(join(tmpdir(), 'latchkey-configmap-'));
    stack.onStop(() => rm(mount, { recursive: true, force: true }));
    // kubelet: policy.yaml → ..data/policy.yaml, ..data → a folder per version, swapped by rename.
    const version = async (name: string, text: string): Promise<void> => {
      await mkdir(join(mount, name));
      await writeFile(join(mount, name, 'policy.yaml'), text);
      await symlink(name, join(mount, '..data_tmp'));
      await rename(join(mount, '..data_tmp'), join(mount, '..data'));
    };
    await version('..2026_01', original);
    await symlink(join('..data', 'policy.yaml'), join(mount, 'policy.yaml'));
    const mounted = await startSidecar({
      databaseUrl: stack.postgres.url,
      name: 'mounted',
      policyFile: join(mount, 'policy.yaml'),
    });
    stack.onStop(() => mounted.stop());
    const own = await startEnvoy({ check: { socketPath: mounted.socketPath } });
    stack.onStop(() => own.stop());
    await own.whenHealthy();
    const key = await stack.keys.create({ scopes: ['admin'] });
    expect(await statusOf(key.text, '/v1/read', own)).toBe(200);

    await version('..2026_02', original.replace(IMPLIES, 'admin: { implies: [write] }'));
    await rm(join(mount, '..2026_01'), { recursive: true });
    await until(
      'the swap is seen',
      async () => (await statusOf(key.text, '/v1/read', own)) === 403,
    );
    expect(await mounted.metric(SUCCESSFUL)).toBe(1);
  });
});

it('a sidecar does not start on a policy with errors, and tells them', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'latchkey-policy-'));
  stack.onStop(() => rm(folder, { recursive: true, force: true }));
  const policyFile = join(folder, 'policy.yaml');
  await copyFile(E2E_POLICY, policyFile);
  await writeFile(policyFile, `${original}\nroutse: []\n`);
  const broken = await startSidecar({
    databaseUrl: stack.postgres.url,
    policyFile,
    waitUntilReady: false,
  });
  stack.onStop(() => broken.stop());
  expect((await broken.exited).code).toBe(1);
  expect(broken.stderr().join('\n')).toMatch(/policy\.yaml:\d+:1 .*routse/);
});
