import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { ROOT } from './run-command.ts';

interface GeneratedFile {
  readonly name: string;
  /** From the repository's root. */
  readonly path: string;
  /** The whole text that the file must hold. */
  readonly generate: () => Promise<string>;
}

/** A new generated file is one more entry here. */
const GENERATED: readonly GeneratedFile[] = [
  {
    name: 'JSON Schema of the policy file',
    path: 'docs/policy.schema.json',
    generate: () => latchkey('policy', 'schema'),
  },
  {
    // kustomize reads no file outside of its folder. Its addresses and paths are what Kubernetes needs: nothing is changed.
    name: 'Envoy configuration of the Kubernetes sidecars',
    path: 'deploy/kubernetes/sidecar/envoy.yaml',
    generate: () => readFile(join(ROOT, 'envoy.yaml'), 'utf8'),
  },
];

/** Which generated files differ from what generates them, as findings. */
export async function findStaleFiles(): Promise<readonly string[]> {
  const findings: string[] = [];
  for (const { name, path, generate } of GENERATED) {
    const committed = await readFile(join(ROOT, path), 'utf8').catch(() => undefined);
    if (committed !== (await generate())) {
      findings.push(`${path} (${name}) is out of date: npm run check -- --write`);
    }
  }
  return findings;
}

/** Writes every generated file anew. */
export async function writeGeneratedFiles(): Promise<void> {
  for (const { path, generate } of GENERATED) {
    await mkdir(dirname(join(ROOT, path)), { recursive: true });
    await writeFile(join(ROOT, path), await generate());
  }
}

async function latchkey(...args: readonly string[]): Promise<string> {
  const run = promisify(execFile);
  const { stdout } = await run(process.execPath, ['src/main.ts', ...args], { cwd: ROOT });
  return stdout;
}
