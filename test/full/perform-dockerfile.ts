import { execFile } from 'node:child_process';
import { chmod, cp, mkdir, readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import {
  admittedNames,
  type ImageConfig,
  type Instruction,
  imageConfig,
  parseDockerfile,
  type Stage,
} from '../support/dockerfile.ts';

const run = promisify(execFile);

const RUN_TIMEOUT_MS = 300_000;

/** What would be an image: its last stage's files under `root`, without those of the base image. */
export interface PerformedImage extends ImageConfig {
  readonly root: string;
}

/**
 * Does what a build of `dockerfile` does, without its base images: each stage is an empty folder in `folder`, and the
 * context is what `.dockerignore` admits of `repository`, readable by its owner alone, as some checkouts are.
 * @throws Error for an instruction that cannot be performed here.
 */
export async function performDockerfile(
  dockerfile: string,
  { repository, folder }: { readonly repository: string; readonly folder: string },
): Promise<PerformedImage> {
  const context = join(folder, 'context');
  await mkdir(context);
  for (const name of admittedNames(await readFile(join(repository, '.dockerignore'), 'utf8'))) {
    await cp(join(repository, name), join(context, name), { recursive: true });
  }
  await run('chmod', ['-R', 'go-rwx', context]);
  const stages = parseDockerfile(await readFile(dockerfile, 'utf8'));
  const rootOf = (name: string): string => join(folder, `stage-${name}`);
  for (const stage of stages) {
    await performStage(stage, { context, root: rootOf(stage.name), rootOf });
  }
  return { root: rootOf(stages.at(-1)?.name ?? ''), ...imageConfig(stages) };
}

interface Place {
  readonly context: string;
  readonly root: string;
  readonly rootOf: (stage: string) => string;
}

async function performStage({ instructions }: Stage, place: Place): Promise<void> {
  await mkdir(place.root);
  let workdir = '/';
  for (const instruction of instructions) {
    if (instruction.name === 'WORKDIR') {
      workdir = instruction.text;
      await mkdir(join(place.root, workdir), { recursive: true });
    }
    if (instruction.name === 'COPY') await copy(instruction, workdir, place);
    if (instruction.name === 'RUN') await npm(instruction, join(place.root, workdir));
  }
}

/** As COPY has it: of a folder its contents; into a folder where the last word ends in `/` or there are several sources. */
async function copy(
  { text, flags }: Instruction,
  workdir: string,
  { context, root, rootOf }: Place,
): Promise<void> {
  const words = text.split(' ');
  const target = words.at(-1) ?? '';
  const from = flags.get('from');
  const sourceRoot = from === undefined ? context : rootOf(from);
  const targetPath = target.startsWith('/') ? join(root, target) : join(root, workdir, target);
  for (const source of words.slice(0, -1)) {
    const sourcePath = join(sourceRoot, source);
    const isFile = (await stat(sourcePath)).isFile();
    const path = isFile && target.endsWith('/') ? join(targetPath, basename(source)) : targetPath;
    // Links of node_modules/.bin stay relative.
    await cp(sourcePath, path, { recursive: true, verbatimSymlinks: true });
    const mode = flags.get('chmod');
    if (mode !== undefined) await chmod(path, Number.parseInt(mode, 8));
  }
}

/** A build runs as root with this mask. Any other command would reach out of the folder of its stage. */
async function npm({ text, line }: Instruction, cwd: string): Promise<void> {
  if (!/^npm [\w=:. -]+$/.test(text)) throw new Error(`line ${line}: RUN ${text} is not npm alone`);
  await run('sh', ['-c', `umask 022 && ${text}`], { cwd, timeout: RUN_TIMEOUT_MS });
}
