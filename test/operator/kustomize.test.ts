import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import {
  configFile,
  container,
  type Kustomization,
  type Manifest,
  parseManifests,
  pathFrom,
  podOf,
  render,
  the,
} from './support/manifests.ts';
import { kustomize, validateManifests } from './support/operator-tools.ts';

/** The oldest release that the manifests promise to run on (`sleep` and sidecars), and a recent one. */
const RELEASES = ['1.30', '1.37'];
/** Kinds of which Kubernetes itself has no schema. */
const FOREIGN_KINDS = ['PodMonitor'];

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'latchkey-kustomize-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const EXPECTED: Readonly<Record<Kustomization, readonly string[]>> = {
  base: [
    'ConfigMap/latchkey-envoy',
    'ConfigMap/latchkey-policy',
    'Deployment/app',
    'NetworkPolicy/latchkey-only',
    'PodDisruptionBudget/app',
    'Service/app',
  ],
  migrate: ['Job/latchkey-migrate'],
  'overlays/example': [
    'ConfigMap/latchkey-envoy',
    'ConfigMap/latchkey-policy',
    'Deployment/app',
    'Namespace/example',
    'NetworkPolicy/latchkey-only',
    'PodDisruptionBudget/app',
    'PodMonitor/latchkey',
    'Service/app',
  ],
  'overlays/example/migrate': ['Job/latchkey-migrate'],
};

describe.each(Object.entries(EXPECTED))('%s', (name, expected) => {
  let manifests: readonly Manifest[];

  beforeAll(async () => {
    manifests = await render(name as Kustomization); // A key of EXPECTED.
  });

  it('renders every part once', () => {
    const parts = manifests.map(({ kind, metadata }) => `${kind}/${metadata.name}`);
    expect(parts.map((part) => part.replace(/-[0-9a-z]{10}$/, '')).toSorted()).toEqual(expected);
  });

  it.each(RELEASES)('has only fields that Kubernetes %s knows', async (release) => {
    const own = manifests.filter(({ kind }) => !FOREIGN_KINDS.includes(kind));
    const files = own.map((_, index) => join(folder, `${index}.yaml`));
    await Promise.all(files.map((file, index) => writeFile(file, stringify(own[index]))));
    const lines = await validateManifests(files, release);
    expect(lines.filter((line) => !line.includes(' passed for resource '))).toEqual([]);
    expect(lines).toHaveLength(own.length);
  });
});

describe('the overlay', () => {
  it('decides from where every image comes, sidecars and Job included', async () => {
    const pods = [
      podOf(await render('overlays/example'), 'Deployment'),
      podOf(await render('overlays/example/migrate'), 'Job'),
    ];
    const images = pods.flatMap(({ spec }) =>
      [...spec.initContainers, ...spec.containers].map(({ image }) => image),
    );
    expect(images).toHaveLength(4);
    for (const image of images) {
      expect(image).toMatch(/^registry\.example\.com\/[a-z/]+:[a-z0-9.-]*\d+\.\d+\.\d+$/);
    }
    expect(new Set(images).size).toBe(2);
  });

  it('replaces the policy, keeps its name, and puts everything into its namespace', async () => {
    const manifests = await render('overlays/example');
    expect(configFile(manifests, 'latchkey-policy', 'policy.yaml')).toContain('things-list');
    expect(the(manifests, 'ConfigMap', 'latchkey-policy').metadata.name).toBe('latchkey-policy');
    const places = manifests.map(({ kind, metadata }) => [kind, metadata.namespace]);
    expect(places.filter(([, namespace]) => namespace !== 'example')).toEqual([
      ['Namespace', undefined],
    ]);
  });

  it('sets a variable of latchkey beside those that it has, and keeps the order of the sidecars', async () => {
    const pod = podOf(await render('overlays/example'), 'Deployment');
    const names = container(pod, 'latchkey').env.map((entry) => entry.name);
    expect(names).toContain('LATCHKEY_STALE_WINDOW');
    expect(names).toContain('LATCHKEY_POLICY');
    expect(pod.spec.initContainers.map(({ name }) => name)).toEqual(['latchkey', 'envoy']);
  });
});

describe('a Deployment of somebody else', () => {
  const deployment = (name: string, labels: Readonly<Record<string, string>>): string =>
    stringify({
      ...{ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name, labels } },
      spec: {
        selector: { matchLabels: { app: name } },
        template: {
          metadata: { labels: { app: name }, annotations: { mine: 'kept' } },
          spec: {
            terminationGracePeriodSeconds: 300,
            initContainers: [foreign('prepare')],
            containers: [foreign(name)],
            volumes: [{ name: 'mine', emptyDir: {} }],
          },
        },
      },
    });
  const foreign = (name: string): object => ({
    ...{ name, image: 'x:1', securityContext: {} },
    resources: { requests: { cpu: '1', memory: '1Gi' }, limits: { memory: '1Gi' } },
  });

  let manifests: readonly Manifest[];

  beforeAll(async () => {
    const kustomization = {
      resources: ['shop.yaml', 'worker.yaml'],
      components: [pathFrom(folder, 'sidecar')],
    };
    await writeFile(join(folder, 'kustomization.yaml'), stringify(kustomization));
    await writeFile(join(folder, 'shop.yaml'), deployment('shop', { 'protected-by': 'latchkey' }));
    await writeFile(join(folder, 'worker.yaml'), deployment('worker', {}));
    manifests = parseManifests(await kustomize(folder));
  });

  it('with the label gets the sidecars before its own init containers, and keeps what it has', () => {
    const { metadata, spec } = podOf([the(manifests, 'Deployment', 'shop')], 'Deployment');
    expect(spec.initContainers.map(({ name }) => name)).toEqual(['latchkey', 'envoy', 'prepare']);
    expect(spec.containers.map(({ name }) => name)).toEqual(['shop']);
    expect(spec.volumes.map(({ name }) => name)).toContain('mine');
    expect(spec.terminationGracePeriodSeconds).toBe(300);
    expect(metadata.labels).toEqual({ app: 'shop', 'protected-by': 'latchkey' });
    expect(metadata.annotations['mine']).toBe('kept');
  });

  it('without the label stays as it is', () => {
    const { metadata, spec } = podOf([the(manifests, 'Deployment', 'worker')], 'Deployment');
    expect(spec.initContainers.map(({ name }) => name)).toEqual(['prepare']);
    expect(metadata.labels).toEqual({ app: 'worker' });
  });
});
