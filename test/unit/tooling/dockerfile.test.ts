import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { admittedNames, imageConfig, parseDockerfile } from '../../support/dockerfile.ts';

const ROOT = join(import.meta.dirname, '../../..');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

const STAGES = parseDockerfile(read('deploy/container/Dockerfile'));
const CONFIG = imageConfig(STAGES);
const packageJson = JSON.parse(read('package.json'));

describe('the container image', () => {
  it('is built and run by the Node that the tests run on, named by its whole version', () => {
    const { version } = JSON.parse(read('tools/node-runtime/package.json'));
    const bases = new Set(STAGES.map(({ base }) => base));
    expect(bases).toEqual(new Set([`node:${version}-trixie-slim`]));
  });

  it('runs as a user that Kubernetes can see is not root, and owns nothing', () => {
    expect(CONFIG.user).toMatch(/^[1-9][0-9]{4,}:[1-9][0-9]{4,}$/);
    const owners = STAGES.flatMap(({ instructions }) =>
      instructions.filter(({ flags }) => flags.has('chown')),
    );
    expect(owners).toEqual([]);
  });

  it('starts without a shell in between, and stops as latchkey expects to be stopped', () => {
    const [program, ...flags] = CONFIG.entrypoint.slice(0, -1);
    expect(program).toBe('node');
    for (const flag of flags) expect(flag).toMatch(/^--/);
    expect(CONFIG.entrypoint.at(-1)).toBe('/app/dist/main.js');
    expect(CONFIG.command).toEqual(['serve']);
    expect(CONFIG.stopSignal).toBe('SIGTERM');
  });

  it('says what it is as the package does', () => {
    const { name, description, license } = packageJson;
    expect(Object.fromEntries(CONFIG.labels)).toEqual({
      'org.opencontainers.image.title': name,
      'org.opencontainers.image.description': description,
      'org.opencontainers.image.licenses': license,
    });
  });

  it('offers the admin port and not the one for checks', () => {
    expect(CONFIG.ports).toEqual(['10003']);
  });

  it('holds production dependencies, dist/, the manifest and the licence', () => {
    const copies = STAGES.at(-1)?.instructions.filter(({ name }) => name === 'COPY') ?? [];
    expect(copies.map(({ text }) => text)).toEqual([
      '/app/node_modules /app/node_modules',
      '/src/dist /app/dist',
      'package.json LICENSE /app/',
    ]);
    const installs = STAGES.flatMap(({ name, instructions }) =>
      instructions.filter(({ text }) => text.startsWith('npm ci')).map(({ text }) => [name, text]),
    );
    expect(installs).toEqual([
      ['build', 'npm ci'],
      ['dependencies', 'npm ci --omit=dev --omit=optional --ignore-scripts'],
    ]);
  });
});

it('of a checkout the build sees what the Dockerfile copies, and nothing else', () => {
  const copied = STAGES.flatMap(({ instructions }) =>
    instructions
      .filter(({ name, flags }) => name === 'COPY' && !flags.has('from'))
      .flatMap(({ text }) => text.split(' ').slice(0, -1))
      .map((path) => path.split('/', 1)[0]),
  );
  expect(admittedNames(read('.dockerignore')).toSorted()).toEqual([...new Set(copied)].toSorted());
});

describe('the reading of a Dockerfile', () => {
  it.each([
    ['FROM a\nADD x y', 'line 2: ADD x y is not understood here'],
    ['RUN x', 'line 1: RUN x is not understood here'],
    [`FROM $\{A}`, 'no ARG before the first FROM names A'],
  ])('passes over nothing: %j', (text, message) => {
    expect(() => parseDockerfile(text)).toThrow(message);
  });

  it('refuses what would start a shell', () => {
    const stages = parseDockerfile('FROM a\nENTRYPOINT node main.js\nCMD ["serve"]');
    expect(() => imageConfig(stages)).toThrow('ENTRYPOINT is not a JSON array');
  });

  it.each(['src\n!src', '*\n!src/**', '*\nsrc'])('refuses the ignore file %j', (text) => {
    expect(() => admittedNames(text)).toThrow('.dockerignore');
  });
});
