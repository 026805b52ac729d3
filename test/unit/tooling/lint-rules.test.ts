import { beforeAll, describe, expect, it } from 'vitest';
import { type Finding, lintPlanted } from './planted-house.ts';

interface Fault {
  readonly rule: string;
  readonly path: string;
  readonly text: string;
}

const steps = (count: number): string => Array(count).fill('  step();').join('\n');
const DECLARED = 'declare function step(): void;';

/** Each breaks one house rule, under `src/app/` where the import table would speak up first. */
const FAULTS: readonly Fault[] = [
  {
    rule: 'lint/suspicious/noImportCycles',
    path: 'src/cache/cycle-a.ts',
    text: `import { b } from './cycle-b.ts';\nexport const a = (): number => b();\n`,
  },
  {
    rule: 'lint/suspicious/noImportCycles',
    path: 'src/cache/cycle-b.ts',
    text: `import { a } from './cycle-a.ts';\nexport const b = (): number => a();\n`,
  },
  {
    rule: 'lint/performance/noBarrelFile',
    path: 'src/cache/barrel.ts',
    text: `export { settled } from './promises.ts';\n`,
  },
  {
    rule: 'lint/performance/noReExportAll',
    path: 'src/cache/re-export.ts',
    text: `export * from './promises.ts';\n`,
  },
  {
    rule: 'lint/style/noProcessEnv',
    path: 'src/postgres/reads-environment.ts',
    text: `export const url = process.env['DATABASE_URL'];\n`,
  },
  {
    rule: 'lint/style/noProcessEnv',
    path: 'src/postgres/imports-environment.ts',
    text: `import { env } from 'node:process';\nexport const url = env['DATABASE_URL'];\n`,
  },
  {
    rule: 'lint/style/noProcessEnv',
    path: 'src/main.ts',
    text: `export const url = process.env['DATABASE_URL'];\n`,
  },
  {
    rule: 'lint/style/noRestrictedGlobals',
    path: 'src/check/reads-clock.ts',
    text: 'export const now = (): number => Date.now();\n',
  },
  {
    rule: 'lint/style/noRestrictedGlobals',
    path: 'src/model/reads-clock.ts',
    text: 'export const now = (): number => performance.now();\n',
  },
  {
    rule: 'lint/style/noRestrictedGlobals',
    path: 'src/check.ts',
    text: `export const url = process.argv[0];\n`,
  },
  {
    rule: 'lint/suspicious/noExplicitAny',
    path: 'src/cache/any.ts',
    text: 'export const value: any = 1;\n',
  },
  {
    rule: 'lint/style/noNonNullAssertion',
    path: 'src/cache/non-null.ts',
    text: 'export const first = (list: readonly string[]): string => list[0]!;\n',
  },
  {
    rule: 'lint/nursery/noFloatingPromises',
    path: 'src/cache/floating.ts',
    text: `import { settled } from './promises.ts';\nexport function forget(): void {\n  settled();\n}\n`,
  },
  {
    rule: 'lint/nursery/noMisusedPromises',
    path: 'src/cache/misused.ts',
    text: `import { settled } from './promises.ts';\nexport const always = settled() ? 1 : 2;\n`,
  },
  {
    rule: 'lint/nursery/useExhaustiveSwitchCases',
    path: 'src/cache/not-exhaustive.ts',
    text: [
      `export function size(kind: 'small' | 'large'): number {`,
      '  let size = 0;',
      '  switch (kind) {',
      `    case 'small':`,
      '      size = 1;',
      '      break;',
      '  }',
      '  return size;',
      '}',
    ].join('\n'),
  },
  {
    rule: 'lint/suspicious/noConsole',
    path: 'src/cache/console.ts',
    text: `console.log('found');\n`,
  },
  {
    rule: 'lint/style/noDefaultExport',
    path: 'src/cache/default-export.ts',
    text: 'export default 1;\n',
  },
  {
    rule: 'lint/style/noEnum',
    path: 'src/cache/enum.ts',
    text: 'export enum Kind {\n  Small,\n}\n',
  },
  {
    rule: 'lint/style/noParameterProperties',
    path: 'src/cache/parameter-property.ts',
    text: 'export class Cache {\n  constructor(readonly size: number) {}\n}\n',
  },
  {
    rule: 'lint/style/useFilenamingConvention',
    path: 'src/cache/notKebab.ts',
    text: 'export const one = 1;\n',
  },
  {
    rule: 'lint/correctness/useImportExtensions',
    path: 'src/cache/extension.ts',
    text: `import { settled } from './promises.js';\nexport const again = settled;\n`,
  },
  {
    rule: 'lint/complexity/noExcessiveLinesPerFunction',
    path: 'src/cache/long-function.ts',
    text: `${DECLARED}\nexport function long(): void {\n${steps(61)}\n}\n`,
  },
  {
    rule: 'lint/style/noExcessiveLinesPerFile',
    path: 'src/cache/long-file.ts',
    text: `// The cache.\n${DECLARED}\n${steps(249)}\n`,
  },
  {
    rule: 'lint/complexity/useMaxParams',
    path: 'src/cache/four-parameters.ts',
    text: 'export const sum = (a: number, b: number, c: number, d: number) => a + b + c + d;\n',
  },
  {
    rule: 'lint/correctness/noUndeclaredDependencies',
    path: 'src/app/undeclared.ts',
    text: `import { pad } from 'left-pad';\nexport const padded = pad;\n`,
  },
  {
    rule: 'lint/style/noCommonJs',
    path: 'src/app/common-js.ts',
    text: `export const pg = require('pg');\n`,
  },
  {
    rule: 'lint/style/noNamespace',
    path: 'src/cache/namespace.ts',
    text: 'export namespace Sizes {\n  export const one = 1;\n}\n',
  },
  {
    rule: 'lint/style/useConst',
    path: 'src/cache/let.ts',
    text: 'let size = 1;\nexport const sizes = [size];\n',
  },
  {
    rule: 'lint/style/useImportType',
    path: 'src/cache/import-type.ts',
    text: `import { Clock } from '../model/clock.ts';\nexport const clocks: Clock[] = [];\n`,
  },
  {
    rule: 'lint/style/useExportType',
    path: 'src/cache/export-type.ts',
    text: `import type { Clock } from '../model/clock.ts';\nexport { Clock };\n`,
  },
  {
    rule: 'lint/style/useNodejsImportProtocol',
    path: 'src/app/protocol.ts',
    text: `import { join } from 'path';\nexport const joined = join('a', 'b');\n`,
  },
  {
    rule: 'lint/correctness/noUnusedImports',
    path: 'src/cache/unused-import.ts',
    text: `import { settled } from './promises.ts';\n`,
  },
  {
    rule: 'lint/correctness/noUnusedVariables',
    path: 'src/cache/unused-variable.ts',
    text: 'const size = 1;\n',
  },
  {
    rule: 'lint/suspicious/noSkippedTests',
    path: 'test/unit/skipped.test.ts',
    text: `import { it } from 'vitest';\nit.skip('holds', () => {});\n`,
  },
  {
    rule: 'lint/suspicious/noFocusedTests',
    path: 'test/unit/focused.test.ts',
    text: `import { it } from 'vitest';\nit.only('holds', () => {});\n`,
  },
];

/** The nearest thing that is right: none of the rules above may fire here. */
const SOUND = new Map([
  [
    'src/cache/promises.ts',
    'export async function settled(): Promise<boolean> {\n  return Promise.resolve(true);\n}\n',
  ],
  ['src/config/environment.ts', `export const url = process.env['DATABASE_URL'];\n`],
  ['test/support/environment.ts', `export const url = process.env['DATABASE_URL'];\n`],
  ['vitest.config.ts', 'export default {};\n'],
  ['tools/says.ts', `console.log('found', process.env['HOME']);\n`],
  ['src/cache/clock.ts', 'export const now = (): number => Date.now();\n'],
  [
    'src/cache/awaited.ts',
    `import { settled } from './promises.ts';\nexport async function wait(): Promise<void> {\n  await settled();\n}\n`,
  ],
  [
    'src/cache/exhaustive.ts',
    [
      `export function size(kind: 'small' | 'large'): number {`,
      '  switch (kind) {',
      `    case 'small':`,
      '      return 1;',
      `    case 'large':`,
      '      return 2;',
      '  }',
      '}',
    ].join('\n'),
  ],
  ['src/cache/sixty-lines.ts', `${DECLARED}\nexport function long(): void {\n${steps(60)}\n}\n`],
  ['src/cache/full-file.ts', `// The cache.\n${DECLARED}\n${steps(248)}\n`],
  [
    'src/cache/three-parameters.ts',
    'export const sum = (a: number, b: number, c: number) => a + b + c;\n',
  ],
  ['test/unit/long.test.ts', `${DECLARED}\nexport function long(): void {\n${steps(300)}\n}\n`],
]);

let findings: readonly Finding[];

beforeAll(async () => {
  findings = await lintPlanted(
    new Map([...FAULTS.map(({ path, text }) => [path, text] as const), ...SOUND]),
  );
}, 60_000);

describe('the house rules', () => {
  it.each(FAULTS)('$rule fires in $path', ({ rule, path }) => {
    expect(findings).toContainEqual(expect.objectContaining({ category: rule, path }));
  });

  it.each([...SOUND.keys()])('leave %s alone', (path) => {
    const rules = FAULTS.map(({ rule }) => rule);
    const found = findings.filter((finding) => finding.path === path);
    expect(found.filter(({ category }) => rules.includes(category))).toEqual([]);
  });
});
