import { ENVOY_VERSION } from '../src/app/envoy-binary.ts';

/** One run of Vitest. */
export interface Suite {
  readonly name: string;
  /** Of vitest.config.ts. */
  readonly project: 'unit' | 'integration' | 'e2e' | 'full' | 'operator';
  /** `npm test` or `npm run test:full`; `named`: neither. */
  readonly runsIn: 'test' | 'full' | 'named';
  /** A name for several suites. */
  readonly group?: string;
  /** `floor`: the oldest Node that `engines` admits. */
  readonly node?: 'floor';
  /** `npm run build` comes first. */
  readonly needsBuild?: true;
  /** Test files of the project that are left out. A new file is never left out by mistake. */
  readonly without?: readonly string[];
  /** For test/support/, which says what each variable does. */
  readonly env?: Readonly<Record<`LATCHKEY_TEST_${string}`, string>>;
}

/** Which Envoys hold the promises of envoy.yaml: the oldest one, and one of each line up to the one that `npm test` runs. */
const ENVOY_VERSIONS = ['1.36.4', '1.37.0', '1.38.3', '1.39.3', ENVOY_VERSION];

/** What these hold does not depend on Envoy. */
const THE_SAME_ON_EVERY_ENVOY = [
  'test/e2e/cardinality.test.ts',
  'test/e2e/changes.test.ts',
  'test/e2e/demo.test.ts',
  'test/e2e/envoy-process.test.ts',
  'test/e2e/readme.test.ts',
  'test/e2e/reload.test.ts',
];

/** These start no sidecar of their own, or start it as a script of package.json does, from the sources. */
const THE_SAME_FROM_DIST = [
  'test/e2e/demo.test.ts',
  'test/e2e/envoy-answers.test.ts',
  'test/e2e/envoy-check-cluster.test.ts',
  'test/e2e/envoy-process.test.ts',
  'test/e2e/envoy-yaml.test.ts',
  'test/e2e/readme.test.ts',
];

/** In the order in which they run. */
export const SUITES: readonly Suite[] = [
  { name: 'unit', project: 'unit', runsIn: 'test' },
  { name: 'unit-floor', project: 'unit', runsIn: 'test', node: 'floor' },
  { name: 'integration', project: 'integration', runsIn: 'test' },
  { name: 'e2e', project: 'e2e', runsIn: 'test' },
  ...ENVOY_VERSIONS.map(onEnvoy),
  {
    name: 'e2e-dist',
    project: 'e2e',
    runsIn: 'full',
    needsBuild: true,
    without: THE_SAME_FROM_DIST,
    // Here `full` runs the newest Envoy, whatever is installed.
    env: { LATCHKEY_TEST_ENTRY: 'dist', LATCHKEY_TEST_ENVOY_VERSION: ENVOY_VERSION },
  },
  { name: 'full', project: 'full', runsIn: 'full' },
  // Needs what tools/install-operator-tools.sh installs.
  { name: 'operator', project: 'operator', runsIn: 'named' },
];

function onEnvoy(version: string): Suite {
  return {
    name: `envoy-${version}`,
    project: 'e2e',
    // The newest one is what `npm test` runs.
    runsIn: version === ENVOY_VERSION ? 'named' : 'full',
    group: 'envoys',
    without: THE_SAME_ON_EVERY_ENVOY,
    env: { LATCHKEY_TEST_ENVOY_VERSION: version },
  };
}

/**
 * The suites that arguments name, by their own name or their group's; without a name those of `npm test`, or with `--full`
 * those of `npm run test:full`.
 * @throws Error of one line that says which names there are, when one is none of them.
 */
export function chosenSuites(args: readonly string[]): readonly Suite[] {
  const names = args.filter((arg) => arg !== '--full');
  if (names.length === 0) {
    const run = args.includes('--full') ? 'full' : 'test';
    return SUITES.filter(({ runsIn }) => runsIn === run);
  }
  const known = new Set(SUITES.flatMap(({ name, group }) => (group ? [name, group] : [name])));
  const unknown = names.filter((name) => !known.has(name));
  if (unknown.length > 0) {
    throw new Error(
      `There is no test suite ${unknown.join(', ')}; choose from ${[...known].join(', ')}.`,
    );
  }
  return SUITES.filter(({ name, group }) =>
    [name, group].some((called) => names.includes(called ?? '')),
  );
}
