import { beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import {
  type Container,
  configFile,
  container,
  type Kustomization,
  type Manifest,
  type Pod,
  podOf,
  render,
  the,
  variable,
} from './support/manifests.ts';

const SOCKET_VOLUME = 'latchkey-socket';

let manifests: readonly Manifest[];
let monitored: readonly Manifest[];
let pod: Pod;
let latchkey: Container;
let envoy: Container;

beforeAll(async () => {
  manifests = await render('base');
  monitored = await render('overlays/example');
  pod = podOf(manifests, 'Deployment');
  latchkey = container(pod, 'latchkey');
  envoy = container(pod, 'envoy');
});

const adminPort = (): number => Number(variable(latchkey, 'LATCHKEY_ADMIN_LISTEN').split(':')[1]);

describe.each<[Kustomization, 'Deployment' | 'Job']>([
  ['base', 'Deployment'],
  ['overlays/example', 'Deployment'],
  ['migrate', 'Job'],
  ['overlays/example/migrate', 'Job'],
])('the pod of %s', (kustomization, kind) => {
  let spec: Pod['spec'];
  let containers: readonly Container[];

  beforeAll(async () => {
    ({ spec } = podOf(await render(kustomization), kind));
    containers = [...spec.initContainers, ...spec.containers];
  });

  it('keeps the restricted Pod Security Standard, container by container', () => {
    for (const { name, securityContext } of containers) {
      const effective = { ...spec.securityContext, ...securityContext };
      expect(effective, name).toMatchObject({
        runAsNonRoot: true,
        runAsUser: expect.toSatisfy((user: unknown) => typeof user === 'number' && user >= 10_000),
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
        seccompProfile: { type: 'RuntimeDefault' },
      });
      expect(effective['privileged'] ?? false, name).toBe(false);
    }
    for (const { configMap, secret, emptyDir } of spec.volumes) {
      expect([configMap, secret, emptyDir].filter((source) => source !== undefined)).toHaveLength(
        1,
      );
    }
  });

  it('gets no token for Kubernetes, and its owners no fsGroup', () => {
    expect(spec.automountServiceAccountToken).toBe(false);
    expect(spec.securityContext).not.toHaveProperty('fsGroup');
  });

  it('names every image by a release, and every container’s share of the node', () => {
    for (const { name, image, resources } of containers) {
      expect(image, name).toMatch(/:[a-z0-9.-]*\d+\.\d+\.\d+$/);
      // A limit of CPU would throttle, and that is seen in the slowest requests.
      expect(resources.limits.cpu, name).toBeUndefined();
    }
  });

  it('takes secrets from files alone', () => {
    const names = containers.flatMap(({ env }) => env.map((entry) => entry.name));
    expect(names.filter((name) => /URL|PEPPER/.test(name) && !name.endsWith('_FILE'))).toEqual([]);
    expect(names).toContain('LATCHKEY_DATABASE_URL_FILE');
  });
});

describe('the sidecars', () => {
  it('are sidecars, latchkey before Envoy, Envoy before the service', () => {
    expect(pod.spec.initContainers.map(({ name }) => name)).toEqual(['latchkey', 'envoy']);
    expect(pod.spec.initContainers.map(({ restartPolicy }) => restartPolicy)).toEqual([
      'Always',
      'Always',
    ]);
  });

  it('share the socket: one path, one group, two users; the service has no part in it', () => {
    const mounts = [latchkey, envoy].map(({ volumeMounts }) =>
      volumeMounts.find(({ name }) => name === SOCKET_VOLUME),
    );
    const socket = variable(latchkey, 'LATCHKEY_CHECK_LISTEN').replace(/^unix:/, '');
    for (const mount of mounts) expect(socket).toBe(`${mount?.mountPath}/check.sock`);
    expect(mounts.map((mount) => mount?.readOnly)).toEqual([false, true]);
    const path = 'static_resources.clusters.0.load_assignment.endpoints.0.lb_endpoints.0';
    expect(envoyYaml(`${path}.endpoint.address.pipe.path`)).toBe(socket);
    expect(envoy.securityContext['runAsGroup']).toBe(latchkey.securityContext['runAsGroup']);
    expect(envoy.securityContext['runAsUser']).not.toBe(latchkey.securityContext['runAsUser']);
    const others = pod.spec.containers.flatMap(({ volumeMounts }) => volumeMounts);
    expect(others.map(({ name }) => name)).not.toContain(SOCKET_VOLUME);
  });

  it('find the policy in a folder that changes with its ConfigMap, under a name that stays', () => {
    const { mountPath } = mountOf(latchkey, 'latchkey-policy');
    expect(variable(latchkey, 'LATCHKEY_POLICY')).toBe(`${mountPath}/policy.yaml`);
    expect(configMapOf('latchkey-policy')).toBe('latchkey-policy');
    const all = [latchkey, envoy].flatMap(({ volumeMounts }) => volumeMounts);
    expect(all.filter(({ subPath }) => subPath !== undefined)).toEqual([]);
  });

  it('are replaced when envoy.yaml changes: its ConfigMap is named by its content', () => {
    const name = configMapOf('latchkey-envoy');
    expect(name).toMatch(/^latchkey-envoy-[0-9a-z]{10}$/);
    expect(the(manifests, 'ConfigMap', 'latchkey-envoy').metadata.name).toBe(name);
    expect(envoy.args[envoy.args.indexOf('--config-path') + 1]).toBe(
      `${mountOf(envoy, 'latchkey-envoy').mountPath}/envoy.yaml`,
    );
  });

  it('let latchkey alone see the Secret', () => {
    const { mountPath } = mountOf(latchkey, 'latchkey-secrets');
    for (const name of ['LATCHKEY_DATABASE_URL_FILE', 'LATCHKEY_PEPPERS_FILE']) {
      expect(variable(latchkey, name)).toMatch(new RegExp(`^${mountPath}/[a-z-]+$`));
    }
    const others = [envoy, ...pod.spec.containers].flatMap(({ volumeMounts }) => volumeMounts);
    expect(others.map(({ name }) => name)).not.toContain('latchkey-secrets');
  });

  it('probe latchkey’s health on its admin port: no database can cause a restart', () => {
    const { startupProbe, readinessProbe, livenessProbe } = latchkey;
    expect(startupProbe?.httpGet?.path).toBe('/livez');
    expect(livenessProbe?.httpGet?.path).toBe('/livez');
    expect(readinessProbe?.httpGet?.path).toBe('/readyz');
    for (const probe of [startupProbe, readinessProbe, livenessProbe]) {
      expect(portOf(latchkey, probe?.httpGet?.port)).toBe(adminPort());
    }
  });

  it('probe Envoy’s listener, and never restart Envoy for a flood', () => {
    const listener = Number(
      envoyYaml('static_resources.listeners.0.address.socket_address.port_value'),
    );
    expect(portOf(envoy, envoy.startupProbe?.tcpSocket?.port)).toBe(listener);
    expect(portOf(envoy, envoy.readinessProbe?.tcpSocket?.port)).toBe(listener);
    expect(envoy.livenessProbe).toBeUndefined();
  });

  it('let Envoy shed load before the kernel ends it', () => {
    const heap = envoyYaml('overload_manager.resource_monitors.0.typed_config.max_heap_size_bytes');
    expect(Number(heap)).toBeLessThanOrEqual(0.9 * bytes(envoy.resources.limits.memory));
  });

  it('keep Envoy’s admin port on loopback, where the hooks of latchkey find it', () => {
    const { address, port_value } = z
      .object({ address: z.string(), port_value: z.number() })
      .parse(envoyYaml('admin.address.socket_address'));
    expect(address).toBe('127.0.0.1');
    for (const hook of [latchkey.lifecycle?.preStop, latchkey.lifecycle?.postStart]) {
      expect(hook?.exec?.command.join(' ')).toContain(
        `http://${address}:${port_value}/healthcheck/`,
      );
    }
  });
});

describe('who comes in', () => {
  it('comes through Envoy: the Service and the NetworkPolicy name its port, and that of metrics', () => {
    const listener = envoyYaml('static_resources.listeners.0.address.socket_address.port_value');
    const ports = z.looseObject({
      spec: z.object({ ports: z.array(z.object({ targetPort: z.number() })) }),
    });
    expect(ports.parse(the(manifests, 'Service')).spec.ports).toEqual([{ targetPort: listener }]);
    const rules = z.looseObject({
      spec: z.object({
        podSelector: z.object({ matchLabels: z.record(z.string(), z.string()) }),
        ingress: z.array(
          z.object({
            ports: z.array(z.object({ port: z.number() })),
            from: z.unknown().optional(),
          }),
        ),
      }),
    });
    const { podSelector, ingress } = rules.parse(the(manifests, 'NetworkPolicy')).spec;
    expect(pod.metadata.labels).toMatchObject(podSelector.matchLabels);
    expect(ingress.map((rule) => [rule.ports, rule.from === undefined])).toEqual([
      [[{ port: listener }], true],
      [[{ port: adminPort() }], false],
    ]);
  });

  it('scrapes latchkey, by annotation or by PodMonitor', () => {
    expect(pod.metadata.annotations).toMatchObject({
      'prometheus.io/scrape': 'true',
      'prometheus.io/port': String(adminPort()),
      'prometheus.io/path': '/metrics',
    });
    const schema = z.looseObject({
      spec: z.object({
        selector: z.object({ matchLabels: z.record(z.string(), z.string()) }),
        podMetricsEndpoints: z.array(z.looseObject({ port: z.string(), path: z.string() })),
      }),
    });
    const { selector, podMetricsEndpoints } = schema.parse(the(monitored, 'PodMonitor')).spec;
    expect(pod.metadata.labels).toMatchObject(selector.matchLabels);
    expect(podMetricsEndpoints).toHaveLength(1);
    expect(portOf(latchkey, podMetricsEndpoints[0]?.port)).toBe(adminPort());
    expect(podMetricsEndpoints[0]?.path).toBe('/metrics');
  });
});

/** A value of the rendered envoy.yaml, by its path. */
function envoyYaml(path: string): unknown {
  let value: unknown = parse(configFile(manifests, 'latchkey-envoy', 'envoy.yaml'));
  for (const key of path.split('.')) {
    value = typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined;
  }
  return value;
}

function mountOf({ volumeMounts }: Container, volume: string): { readonly mountPath: string } {
  const mount = volumeMounts.find(({ name }) => name === volume);
  if (mount === undefined) throw new Error(`${volume} is not mounted`);
  return mount;
}

const configMapOf = (volume: string): string | undefined =>
  pod.spec.volumes.find(({ name }) => name === volume)?.configMap?.name;

/** The number of a port that a probe names. */
function portOf({ ports }: Container, port: string | number | undefined): number | undefined {
  if (typeof port === 'number') return port;
  return ports.find(({ name }) => name === port)?.containerPort;
}

function bytes(quantity: string): number {
  const [, number = '', unit = ''] = /^(\d+)(Mi|Gi)$/.exec(quantity) ?? [];
  return Number(number) * (unit === 'Gi' ? 1024 ** 3 : 1024 ** 2);
}
