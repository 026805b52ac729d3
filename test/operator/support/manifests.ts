import { join, relative } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { kustomize } from './operator-tools.ts';

const KUBERNETES = join(import.meta.dirname, '../../../deploy/kubernetes');

const probeSchema = z.object({
  httpGet: z.object({ path: z.string(), port: z.union([z.string(), z.number()]) }).optional(),
  tcpSocket: z.object({ port: z.union([z.string(), z.number()]) }).optional(),
  periodSeconds: z.number(),
  timeoutSeconds: z.number(),
  failureThreshold: z.number(),
  terminationGracePeriodSeconds: z.number().optional(),
});
const hookSchema = z.object({
  exec: z.object({ command: z.array(z.string()) }).optional(),
  sleep: z.object({ seconds: z.number() }).optional(),
});
const containerSchema = z.object({
  name: z.string(),
  image: z.string(),
  restartPolicy: z.string().optional(),
  command: z.array(z.string()).default([]),
  args: z.array(z.string()).default([]),
  env: z.array(z.object({ name: z.string(), value: z.string() })).default([]),
  ports: z.array(z.object({ name: z.string(), containerPort: z.number() })).default([]),
  startupProbe: probeSchema.optional(),
  readinessProbe: probeSchema.optional(),
  livenessProbe: probeSchema.optional(),
  lifecycle: z
    .object({ preStop: hookSchema.optional(), postStart: hookSchema.optional() })
    .optional(),
  resources: z.object({
    requests: z.object({ cpu: z.string(), memory: z.string() }),
    limits: z.object({ memory: z.string(), cpu: z.string().optional() }),
  }),
  securityContext: z.record(z.string(), z.unknown()),
  volumeMounts: z
    .array(
      z.object({
        name: z.string(),
        mountPath: z.string(),
        readOnly: z.boolean().default(false),
        subPath: z.string().optional(),
      }),
    )
    .default([]),
});
const podSchema = z.object({
  metadata: z.object({
    labels: z.record(z.string(), z.string()),
    annotations: z.record(z.string(), z.string()).default({}),
  }),
  spec: z.object({
    automountServiceAccountToken: z.boolean().optional(),
    terminationGracePeriodSeconds: z.number().optional(),
    securityContext: z.record(z.string(), z.unknown()).default({}),
    initContainers: z.array(containerSchema).default([]),
    containers: z.array(containerSchema).min(1),
    volumes: z.array(
      z.object({
        name: z.string(),
        configMap: z.object({ name: z.string() }).optional(),
        secret: z.object({ secretName: z.string() }).optional(),
        emptyDir: z.record(z.string(), z.unknown()).optional(),
      }),
    ),
  }),
});
const manifestSchema = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({
    name: z.string(),
    namespace: z.string().optional(),
    labels: z.record(z.string(), z.string()).default({}),
  }),
  data: z.record(z.string(), z.string()).optional(),
});

export type Manifest = z.infer<typeof manifestSchema>;
export type Pod = z.infer<typeof podSchema>;
export type Container = z.infer<typeof containerSchema>;

/** Of deploy/kubernetes, the folders that an operator applies. */
export type Kustomization = 'base' | 'migrate' | 'overlays/example' | 'overlays/example/migrate';

/** Everything that a folder of deploy/kubernetes renders. */
export async function render(kustomization: Kustomization): Promise<readonly Manifest[]> {
  return parseManifests(await kustomize(join(KUBERNETES, kustomization)));
}

/** The path of a folder of deploy/kubernetes, as a kustomization elsewhere has to write it. */
export const pathFrom = (folder: string, component: string): string =>
  relative(folder, join(KUBERNETES, component));

export function parseManifests(text: string): readonly Manifest[] {
  return parseAllDocuments(text).map((document) => {
    const [fault] = document.errors;
    if (fault !== undefined) throw fault;
    return manifestSchema.parse(document.toJS());
  });
}

/** The one manifest of a kind, or the one of that name. */
export function the(manifests: readonly Manifest[], kind: string, name?: string): Manifest {
  const found = manifests.filter(
    (manifest) =>
      manifest.kind === kind && (name === undefined || manifest.metadata.name.startsWith(name)),
  );
  const [manifest] = found;
  if (manifest === undefined || found.length > 1) {
    throw new Error(`${found.length} manifests are a ${kind} ${name ?? ''}`);
  }
  return manifest;
}

/** The pod that a Deployment or a Job makes. */
export function podOf(manifests: readonly Manifest[], kind: 'Deployment' | 'Job'): Pod {
  const workload = z.looseObject({ spec: z.looseObject({ template: podSchema }) });
  return workload.parse(the(manifests, kind)).spec.template;
}

export function container(pod: Pod, name: string): Container {
  const found = [...pod.spec.initContainers, ...pod.spec.containers].find(
    (candidate) => candidate.name === name,
  );
  if (found === undefined) throw new Error(`the pod has no container ${name}`);
  return found;
}

/** A file of a ConfigMap whose name begins so: kustomize may add a hash. */
export function configFile(manifests: readonly Manifest[], name: string, file: string): string {
  const text = the(manifests, 'ConfigMap', name).data?.[file];
  if (text === undefined) throw new Error(`the ConfigMap ${name} has no ${file}`);
  return text;
}

/** The value of a variable as the manifest gives it. */
export function variable({ env }: Container, name: string): string {
  const found = env.find((entry) => entry.name === name);
  if (found === undefined) throw new Error(`the container has no ${name}`);
  return found.value;
}
