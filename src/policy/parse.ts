import { formatPath, type PolicyPath, type PolicyProblem, type Position } from './problem.ts';
import { type PolicyFile, policySchema } from './schema.ts';
import { type ShapeFault, shapeFaults } from './schema-issues.ts';
import { readYaml, type YamlTree } from './yaml-tree.ts';

/** The file in its right shape, and what had to be left out of it because it has not. */
export interface ParsedPolicy {
  readonly file: PolicyFile;
  /** Where each of `file.routes` stands in the file's own list. */
  readonly routeIndexes: readonly number[];
  /** Sections and entries of sections that are left out: `plans`, `credentials.bearer`. */
  readonly broken: ReadonlySet<string>;
  readonly tree: YamlTree;
}

export interface ParseResult {
  /** `undefined`: nothing more can be said about the file. */
  readonly parsed: ParsedPolicy | undefined;
  readonly problems: readonly PolicyProblem[];
}

const START: Position = { line: 1, column: 1 };

/**
 * Text → typed file. A fault in one entry hides no fault in another: what is broken is left out and the rest goes on to
 * be compiled, so that its faults are told in the same run.
 */
export function parsePolicy(text: string): ParseResult {
  const { tree, problems: yamlProblems } = readYaml(text);
  if (tree === undefined) return { parsed: undefined, problems: yamlProblems };
  if (!isMapping(tree.value)) {
    const message =
      tree.value === null
        ? 'the file is empty; a policy begins with "version: 1".'
        : 'a policy is a mapping that begins with "version: 1".';
    return { parsed: undefined, problems: [...yamlProblems, { ...START, path: '', message }] };
  }
  const first = policySchema.safeParse(tree.value);
  if (first.success) {
    const routeIndexes = first.data.routes.map((_, index) => index);
    const parsed = { file: first.data, routeIndexes, broken: new Set<string>(), tree };
    return { parsed, problems: yamlProblems };
  }
  const faults = shapeFaults(first.error.issues, tree.value);
  // What could not be read at all has no value, and thus the wrong one: told once is enough.
  const told = new Set(yamlProblems.map(({ path }) => path));
  const news = faults.map((fault) => placed(fault, tree)).filter(({ path }) => !told.has(path));
  const problems = [...yamlProblems, ...news];
  return { parsed: parseWithout(faults, tree, tree.value), problems };
}

/** Sections whose entries stand on their own. */
const COLLECTIONS = new Set(['credentials', 'scopes', 'plans', 'routes']);

function parseWithout(
  faults: readonly ShapeFault[],
  tree: YamlTree,
  value: Readonly<Record<string, unknown>>,
): ParsedPolicy | undefined {
  const broken = new Set(faults.map(({ path }) => formatPath(brokenPart(path, value))));
  const kept: Record<string, unknown> = { version: 1, routes: [] };
  let routeIndexes: readonly number[] = [];
  for (const [section, content] of Object.entries(value)) {
    if (broken.has(section)) continue;
    const isKept = (entry: string | number) => !broken.has(formatPath([section, entry]));
    if (section === 'routes' && Array.isArray(content)) {
      routeIndexes = [...content.keys()].filter(isKept);
      kept[section] = content.filter((_, index) => isKept(index));
    } else if (COLLECTIONS.has(section) && isMapping(content)) {
      kept[section] = Object.fromEntries(Object.entries(content).filter(([key]) => isKept(key)));
    } else {
      kept[section] = content;
    }
  }
  const again = policySchema.safeParse(kept);
  return again.success ? { file: again.data, routeIndexes, broken, tree } : undefined;
}

/** The smallest part of the file that can be left out with the fault in it. */
function brokenPart(path: PolicyPath, value: Readonly<Record<string, unknown>>): PolicyPath {
  const [section, entry] = path;
  const hasEntries =
    typeof section === 'string' &&
    COLLECTIONS.has(section) &&
    typeof value[section] === 'object' &&
    entry !== undefined;
  return path.slice(0, hasEntries ? 2 : 1);
}

function placed({ path, atKey, message }: ShapeFault, tree: YamlTree): PolicyProblem {
  const position = atKey ? tree.keyPosition(path) : tree.valuePosition(path);
  return { ...position, path: formatPath(path), message };
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
