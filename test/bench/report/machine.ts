import { execFile } from 'node:child_process';
import { cpus, release, totalmem, type } from 'node:os';
import { promisify } from 'node:util';
import { envoyPath } from '../../support/envoy.ts';

const run = promisify(execFile);

/** What the figures depend on, a line each. */
export async function describeMachine(parts: {
  readonly postgresVersion: string;
  readonly pinning: string;
}): Promise<string[]> {
  const processors = cpus();
  const memory = Math.round(totalmem() / 2 ** 30);
  return [
    `- processors: ${processors.length} × ${processors[0]?.model.trim() ?? 'unknown'}; ${memory} GiB of memory; ${type()} ${release()}`,
    `- Node ${process.versions.node} (V8 ${process.versions.v8}), Envoy ${await envoyVersion()}, Postgres ${parts.postgresVersion}`,
    `- ${parts.pinning}`,
  ];
}

/** `…/envoy  version: <commit>/1.40.0/Clean/RELEASE/BoringSSL` */
async function envoyVersion(): Promise<string> {
  try {
    const { stdout } = await run(await envoyPath(), ['--version']);
    return /\/(\d+\.\d+\.\d+)/.exec(stdout.slice(stdout.indexOf('version:')))?.[1] ?? 'unknown';
  } catch {
    return 'not found';
  }
}

/** `27 November 2026, commit 0123456 with changes`. */
export async function describeRun(root: string): Promise<string> {
  const date = new Date().toISOString().slice(0, 10);
  try {
    const git = async (...args: string[]): Promise<string> =>
      (await run('git', args, { cwd: root })).stdout.trim();
    const commit = await git('rev-parse', '--short', 'HEAD');
    const changes = await git('status', '--porcelain', '--untracked-files=no', '--', 'src');
    return `${date}, commit ${commit}${changes === '' ? '' : ' with uncommitted changes'}`;
  } catch {
    // A copy without its history.
    return date;
  }
}
