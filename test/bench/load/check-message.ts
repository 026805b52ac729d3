import { readFileSync } from 'node:fs';
import { CHECK_REQUEST } from '../../support/check-request-schema.ts';
import { parseTree, type WireNode, type WireTree, writeTree } from '../../support/wire-tree.ts';
import { KEY_TEXT_CHARS } from '../store/key-texts.ts';

const FIXTURE = new URL('../../fixtures/check-raw.bin', import.meta.url);

/** Of the project's id in the path: `/v1/projects/<id>/scans`. */
export const PROJECT_CHARS = 6;
/** Envoy's stream id, in decimal digits. */
export const STREAM_ID_CHARS = 20;

/** A captured CheckRequest, and where in it stands what differs from request to request. */
export interface CheckMessage {
  readonly bytes: Buffer;
  readonly key: number;
  /** In `path`, and in the header `:path`. */
  readonly projects: readonly number[];
  readonly streamId: number;
  /** The peer's address, three digits per octet but the first, which is `10`. */
  readonly address: number;
}

/** Marks that occur nowhere else in the message, as long as what takes their place. */
const MARK = {
  key: 'K'.repeat(KEY_TEXT_CHARS),
  project: 'P'.repeat(PROJECT_CHARS),
  streamId: '9'.repeat(STREAM_ID_CHARS),
  address: '10.111.111.111',
} as const;

/** The request of test/fixtures, with a key of our format in the place of its own, and a path with an id in it. */
export function checkMessage(): CheckMessage {
  const tree = parseTree(readFileSync(FIXTURE), CHECK_REQUEST);
  const attributes = child(tree, 1);
  const http = child(child(attributes, 4), 2);
  set(child(child(child(attributes, 1), 1), 1), 2, MARK.address);
  set(http, 1, MARK.streamId);
  const path = `/v1/projects/${MARK.project}/scans?limit=50&cursor=abc`;
  set(http, 4, path);
  for (const line of children(child(http, 13), 1)) {
    if (text(line, 1) === ':path') set(line, 3, path);
    if (text(line, 1) === 'authorization') set(line, 3, `Bearer ${MARK.key}`);
  }
  const bytes = writeTree(tree);
  return {
    bytes,
    key: only(bytes, MARK.key),
    projects: places(bytes, MARK.project),
    streamId: only(bytes, MARK.streamId),
    address: only(bytes, MARK.address),
  };
}

function nodes(tree: WireTree, number: number): WireNode[] {
  return tree.filter((node) => node.number === number);
}

function children(tree: WireTree, number: number): WireTree[] {
  return nodes(tree, number).map(({ value }) => {
    if (!Array.isArray(value)) throw new Error(`field ${number} is no message`);
    return value;
  });
}

function child(tree: WireTree, number: number): WireTree {
  const found = children(tree, number)[0];
  if (found === undefined) throw new Error(`the captured CheckRequest has no field ${number}`);
  return found;
}

function text(tree: WireTree, number: number): string {
  const value = nodes(tree, number)[0]?.value;
  return value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : '';
}

function set(tree: WireTree, number: number, value: string): void {
  const node = nodes(tree, number)[0];
  if (node === undefined) throw new Error(`the captured CheckRequest has no field ${number}`);
  node.value = Buffer.from(value, 'latin1');
}

function places(bytes: Buffer, mark: string): number[] {
  const found: number[] = [];
  for (let at = bytes.indexOf(mark); at >= 0; at = bytes.indexOf(mark, at + 1)) found.push(at);
  return found;
}

function only(bytes: Buffer, mark: string): number {
  const [at, ...others] = places(bytes, mark);
  if (at === undefined || others.length > 0) throw new Error(`${mark} stands elsewhere, too`);
  return at;
}
