import { LineCounter, parseDocument } from 'yaml';
import { formatPath, type PolicyPath, type PolicyProblem, type Position } from './problem.ts';
import { type Places, VALUES_MAX, visit, type Walk } from './yaml-walk.ts';

/** A YAML document as plain values, with the place of each. */
export interface YamlTree {
  readonly value: unknown;
  /** Where the value at `path` stands, or the nearest thing around it that exists. */
  readonly valuePosition: (path: PolicyPath) => Position;
  /** Where the key of the entry at `path` stands (an entry of a list has none: the value). */
  readonly keyPosition: (path: PolicyPath) => Position;
  /** Keys of the mapping at `path`. */
  readonly childKeys: (path: PolicyPath) => readonly (string | number)[];
}

export interface YamlReading {
  /** `undefined`: too broken to go on with. */
  readonly tree: YamlTree | undefined;
  readonly problems: readonly PolicyProblem[];
}

export function readYaml(text: string): YamlReading {
  const lines = new LineCounter();
  const problems: PolicyProblem[] = [];
  const positionOf = (offset: number): Position => positionAt(lines, offset);
  const report: Walk['report'] = (offset, path, message) => {
    problems.push({ ...positionOf(offset), path: formatPath(path), message });
  };
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    // The walk below tells where the first of two equal keys stands.
    uniqueKeys: false,
    // Not `silent`: that would also drop the error of a second document.
    logLevel: 'error',
  });
  // An unknown tag is a warning to the library: its value would silently become something else.
  for (const { code, message, pos } of [...document.errors, ...document.warnings]) {
    report(pos[0], [], `not valid YAML: ${SYNTAX_ADVICE[code] ?? plain(message)}.`);
  }
  if (problems.length > 0) return { tree: undefined, problems };
  const walk: Walk = {
    report,
    lineOf: (offset) => positionOf(offset).line,
    anchors: new Map(),
    valuesLeft: VALUES_MAX,
    gaveUp: false,
  };
  const { value, places } = visit(walk, { node: document.contents, path: [] });
  if (walk.gaveUp) return { tree: undefined, problems };
  const tree: YamlTree = {
    value,
    valuePosition: (path) => positionOf(nearestPlaces(places, path).value),
    keyPosition: (path) => positionOf(nearestPlaces(places, path).key),
    childKeys: (path) => childKeys(places, path),
  };
  return { tree, problems };
}

const SYNTAX_ADVICE: Readonly<Record<string, string>> = {
  TAB_AS_INDENT: 'a tab is used as indentation; indent with spaces',
  TAG_RESOLVE_FAILED: 'a tag such as !name means nothing here; write the value without it',
  MULTIPLE_DOCS: 'the file holds several documents; a policy is one, so remove the second "---"',
  BLOCK_AS_IMPLICIT_KEY:
    'a second ":" on one line; put the value in quotes, or the inner mapping on lines of its own',
};

/** The library's parser recurses, and tells of an exhausted stack as of any other fault. */
function plain(message: string): string {
  return /stack/i.test(message) ? 'nested too deep; flatten it' : message;
}

function positionAt(lines: LineCounter, offset: number): Position {
  const { line, col } = lines.linePos(offset);
  // An empty text has no first line.
  return line < 1 ? { line: 1, column: 1 } : { line, column: col };
}

function nearestPlaces(root: Places, path: PolicyPath): Places {
  let places = root;
  for (const part of path) {
    const child = places.children.get(part);
    if (child === undefined) return places;
    places = child;
  }
  return places;
}

function childKeys(root: Places, path: PolicyPath): readonly (string | number)[] {
  let places: Places | undefined = root;
  for (const part of path) places = places?.children.get(part);
  return [...(places?.children.keys() ?? [])];
}
