import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ENVOY_VERSION } from '../../../src/app/envoy-binary.ts';
import { ROOT } from '../../../tools/run-command.ts';
import { chosenSuites, SUITES } from '../../../tools/test-suites.ts';

const names = (...args: string[]): readonly string[] => chosenSuites(args).map(({ name }) => name);

describe('which suites run', () => {
  it.each([
    ['npm test', [], ['unit', 'unit-floor', 'integration', 'e2e']],
    ['npm test -- unit', ['unit'], ['unit']],
    ['npm test -- e2e unit', ['e2e', 'unit'], ['unit', 'e2e']],
    ['npm run test:operator', ['operator'], ['operator']],
    ['npm run test:full -- full', ['--full', 'full'], ['full']],
  ])('%s', (_command, args, expected) => {
    expect(names(...args)).toEqual(expected);
  });

  it('npm run test:envoys: every line of Envoy from the oldest to the newest', () => {
    expect(names('envoys')).toEqual([
      'envoy-1.36.4',
      'envoy-1.37.0',
      'envoy-1.38.3',
      'envoy-1.39.3',
      `envoy-${ENVOY_VERSION}`,
    ]);
  });

  it('npm run test:full: what npm test does not run, and each Envoy in one suite or another', () => {
    const full = chosenSuites(['--full']);
    expect(full.filter(({ runsIn }) => runsIn === 'test')).toEqual([]);
    const versions = full.map(({ env }) => env?.['LATCHKEY_TEST_ENVOY_VERSION']);
    for (const { env } of chosenSuites(['envoys'])) {
      expect(versions).toContain(env?.['LATCHKEY_TEST_ENVOY_VERSION']);
    }
  });

  it('a name that is none is told with those there are', () => {
    expect(() => chosenSuites(['unti'])).toThrow(
      /^There is no test suite unti; choose from unit, /,
    );
  });
});

it.each(SUITES)('what $name leaves out is there to be left out', ({ without = [] }) => {
  expect(without.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
});
