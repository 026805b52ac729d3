import { execFile, spawn } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';

const ROOT = join(import.meta.dirname, '../../..');
/** Where tools/install-operator-tools.sh puts what the machine lacks. */
const FOLDER = join(ROOT, '.cache', 'operator-tools');
const INSTALL = 'Run tools/install-operator-tools.sh.';

/** A rendering is some 100 KB. */
const OUTPUT_BYTES_MAX = 16 * 1024 * 1024;

const run = promisify(execFile);

export interface PromtoolVerdict {
  readonly code: number;
  /** What it objects to, a line each. */
  readonly output: string;
}

/** What `promtool check metrics` says of a scrape. */
export function checkMetrics(scrape: string): Promise<PromtoolVerdict> {
  return promtool(['check', 'metrics'], scrape);
}

export async function promtool(args: readonly string[], input = ''): Promise<PromtoolVerdict> {
  const program = await find('promtool');
  if (program === undefined) throw new Error(`promtool is missing. ${INSTALL}`);
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  const output = Promise.all([text(child.stdout), text(child.stderr)]);
  const code = new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status) => resolve(status ?? -1));
  });
  // One that reads no input may be gone before it comes.
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  return { code: await code, output: (await output).join('') };
}

/** What a kustomization renders, as `kubectl apply -k` would send it. */
export async function kustomize(folder: string): Promise<string> {
  const [program, ...args] = await kustomizeCommand();
  const { stdout } = await run(program, [...args, folder], { maxBuffer: OUTPUT_BYTES_MAX });
  return stdout;
}

/** kubectl's own, unless the installer found it too old. */
async function kustomizeCommand(): Promise<readonly [string, ...string[]]> {
  const installed = await find('kustomize', [join(FOLDER, 'bin')]);
  if (installed !== undefined) return [installed, 'build'];
  const kubectl = await find('kubectl');
  if (kubectl !== undefined) return [kubectl, 'kustomize'];
  const standalone = await find('kustomize');
  if (standalone !== undefined) return [standalone, 'build'];
  throw new Error(`kubectl and kustomize are missing. ${INSTALL}`);
}

/**
 * Holds files, a document each, against the schemas that a release of Kubernetes publishes (`1.30`), unknown fields
 * included. Gives a line per file: what was validated, or what is wrong with it.
 */
export async function validateManifests(
  files: readonly string[],
  release: string,
): Promise<readonly string[]> {
  const library = join(FOLDER, 'python');
  await access(library).catch(() => {
    throw new Error(`kubernetes-validate is missing. ${INSTALL}`);
  });
  const args = ['-m', 'kubernetes_validate', '--strict', '-k', release, ...files];
  const env = { ...process.env, PYTHONPATH: library };
  // It ends with an exit code other than 0 when a file is wrong; which one, its lines say.
  const { stdout, stderr } = await run('python3', args, { env }).catch((error: unknown) => {
    if (error instanceof Error && 'stdout' in error && 'stderr' in error) return error;
    throw error;
  });
  return `${stdout}${stderr}`.split('\n').filter((line) => line !== '');
}

async function find(
  name: string,
  folders = [join(FOLDER, 'bin'), ...(process.env['PATH'] ?? '').split(delimiter)],
): Promise<string | undefined> {
  for (const folder of folders) {
    const candidate = join(folder, name);
    const runs = await access(candidate, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (runs) return candidate;
  }
  return undefined;
}
