import { isAlias, isMap, isScalar, isSeq } from 'yaml';
import type { PolicyPath } from './problem.ts';

/** Where a value and its key begin, as offsets into the text, and the same for what is in it. */
export interface Places {
  readonly value: number;
  readonly key: number;
  readonly children: Map<string | number, Places>;
}

export interface Visited {
  readonly value: unknown;
  readonly places: Places;
}

/** What one walk over a document knows. */
export interface Walk {
  readonly report: (offset: number, path: PolicyPath, message: string) => void;
  readonly lineOf: (offset: number) => number;
  /** The library finds an alias's anchor by walking the whole document each time: quadratic for a file of aliases. */
  readonly anchors: Map<string, unknown>;
  valuesLeft: number;
  /** The document is too deep or expands to too much: what was read of it is not to be used. */
  gaveUp: boolean;
}

/** Policies nest about ten deep; this keeps every recursion over the tree small. */
export const DEPTH_MAX = 64;
/** More than the largest allowed file can hold without aliases, which multiply values. */
export const VALUES_MAX = 600_000;

interface Target {
  readonly node: unknown;
  readonly path: PolicyPath;
  /** Where the key stands; absent for what has none. */
  readonly keyOffset?: number;
}

/** Nodes → values. Aliases are expanded, so values are counted, not nodes. */
export function visit(walk: Walk, { node, path, keyOffset }: Target): Visited {
  const offset = offsetOf(node) ?? keyOffset ?? 0;
  const places = { value: offset, key: keyOffset ?? offset, children: new Map() };
  return { value: readValue(walk, node, { path, offset, children: places.children }), places };
}

interface Spot {
  readonly path: PolicyPath;
  readonly offset: number;
  readonly children: Places['children'];
}

function readValue(walk: Walk, node: unknown, spot: Spot): unknown {
  const { path, offset, children } = spot;
  walk.valuesLeft -= 1;
  if (walk.valuesLeft < 0) {
    return giveUp(walk, spot, 'the aliases of this file expand to too much; write it out.');
  }
  if (path.length > DEPTH_MAX) {
    return giveUp(walk, spot, `nested more than ${DEPTH_MAX} levels deep; flatten it.`);
  }
  if (isAlias(node)) {
    const { source } = node;
    if (walk.anchors.has(source)) return readValue(walk, walk.anchors.get(source), spot);
    walk.report(offset, path, `no anchor &${source} stands before this alias; define it above.`);
    return null;
  }
  rememberAnchor(walk, node, spot);
  if (isScalar(node)) return node.value;
  if (isMap(node)) return readMapping(walk, node.items, spot);
  if (!isSeq(node)) return null;
  const list: unknown[] = [];
  for (const [index, item] of node.items.entries()) {
    if (walk.gaveUp) break;
    const visited = visit(walk, { node: item, path: [...path, index] });
    children.set(index, visited.places);
    list.push(visited.value);
  }
  return list;
}

function giveUp(walk: Walk, { offset, path }: Spot, message: string): null {
  if (!walk.gaveUp) walk.report(offset, path, message);
  walk.gaveUp = true;
  return null;
}

function rememberAnchor(walk: Walk, node: unknown, { offset, path }: Spot): void {
  const anchor = isScalar(node) || isSeq(node) || isMap(node) ? node.anchor : undefined;
  if (anchor === undefined) return;
  if ((walk.anchors.get(anchor) ?? node) !== node) {
    walk.report(
      offset,
      path,
      `the anchor &${anchor} is used above already; rename one of the two.`,
    );
  }
  walk.anchors.set(anchor, node);
}

interface Pair {
  readonly key: unknown;
  readonly value: unknown;
}

function readMapping(walk: Walk, pairs: readonly Pair[], spot: Spot): unknown {
  const { path, children } = spot;
  const object: Record<string, unknown> = {};
  for (const pair of pairs) {
    if (walk.gaveUp) break;
    const offset = offsetOf(pair.key) ?? spot.offset;
    const name = isScalar(pair.key) ? pair.key.value : undefined;
    if (typeof name !== 'string') {
      walk.report(offset, path, 'a key is not text; put it in quotes.');
      continue;
    }
    const first = children.get(name);
    if (name === '__proto__' || name === 'constructor') {
      walk.report(offset, path, `${JSON.stringify(name)} cannot be a name; choose another.`);
    } else if (first !== undefined) {
      const line = walk.lineOf(first.key);
      const message = `this key stands on line ${line} already; keep one of the two.`;
      walk.report(offset, [...path, name], message);
    } else {
      const visited = visit(walk, {
        node: pair.value,
        path: [...path, name],
        keyOffset: offset,
      });
      children.set(name, visited.places);
      object[name] = visited.value;
    }
  }
  return object;
}

function offsetOf(node: unknown): number | undefined {
  const hasRange = isAlias(node) || isScalar(node) || isSeq(node) || isMap(node);
  return hasRange ? node.range?.[0] : undefined;
}
