import { areAlternatives, CHECK_REQUEST, type MessageSchema } from './check-request-schema.ts';
import type { Random } from './random.ts';
import { parseTree, type WireNode, type WireTree, writeTree } from './wire-tree.ts';

/**
 * Another way to write the same message: fields in another order (those of one number keep theirs, since it has a meaning),
 * singular messages in pieces, values that a later one overrides, fields nobody knows, varints longer than need be.
 */
export function rewrite(bytes: Uint8Array, random: Random): Buffer {
  const tree = rewriteTree(parseTree(bytes, CHECK_REQUEST), CHECK_REQUEST, random);
  return writeTree(tree, random);
}

/** The message written in another way, with some fields damaged: another wire type, another number, other contents. */
export function damage(bytes: Uint8Array, random: Random): Buffer {
  const tree = rewriteTree(parseTree(bytes, CHECK_REQUEST), CHECK_REQUEST, random);
  for (let left = 1 + random.below(3); left > 0; left -= 1) damageOne(tree, random);
  return writeTree(tree, random);
}

/** Bytes changed without regard to what they mean. */
export function scramble(bytes: Uint8Array, random: Random): Buffer {
  let result = Buffer.from(bytes);
  for (let left = 1 + random.below(4); left > 0; left -= 1) {
    const from = random.below(result.length + 1);
    const to = Math.min(result.length, from + random.below(8));
    const pieces = [result.subarray(0, from), result.subarray(from, to), result.subarray(to)];
    const [head = result, middle = result, tail = result] = pieces;
    switch (random.below(6)) {
      case 0:
        result = Buffer.concat([head, tail]);
        break;
      case 1:
        result = Buffer.concat([head, middle, middle, tail]);
        break;
      case 2:
        result = Buffer.concat([head, randomBytes(random, 1 + random.below(12)), tail]);
        break;
      case 3:
        result = Buffer.from(head);
        break;
      default:
        if (from < result.length) result[from] = random.pick(INTERESTING_BYTES);
    }
  }
  return result;
}

/** Ends of ranges, tags of what is read, starts and ends of groups. */
const INTERESTING_BYTES = [0, 1, 0x0a, 0x0b, 0x0c, 0x12, 0x1a, 0x22, 0x6a, 0x7f, 0x80, 0xff];

function rewriteTree(tree: WireTree, schema: MessageSchema, random: Random): WireTree {
  const pieces = tree.flatMap((node) => rewriteNode(node, schema, random));
  const shuffled = interleave(pieces, random);
  if (random.below(4) === 0)
    shuffled.splice(random.below(shuffled.length + 1), 0, stranger(random));
  return shuffled;
}

function rewriteNode(node: WireNode, schema: MessageSchema, random: Random): WireTree {
  const field = schema[node.number];
  if (field === undefined) return [node];
  if (field.type !== 'message') {
    if (random.below(10) !== 0 || areAlternatives(schema)) return [node];
    const value = field.type === 'varint' ? BigInt(random.below(1000)) : Buffer.from('overridden');
    return [{ ...node, value }, node];
  }
  if (!Array.isArray(node.value)) return [node];
  const content = rewriteTree(node.value, field.of, random);
  if (field.repeated || random.below(6) !== 0) return [{ ...node, value: content }];
  const cut = random.below(content.length + 1);
  return [
    { ...node, value: content.slice(0, cut) },
    { ...node, value: content.slice(cut) },
  ];
}

/** Any order in which fields of one number stay in theirs. */
function interleave(nodes: WireTree, random: Random): WireTree {
  const queues = new Map<number, WireNode[]>();
  for (const node of nodes) {
    const queue = queues.get(node.number);
    if (queue === undefined) queues.set(node.number, [node]);
    else queue.push(node);
  }
  // Every node draws a place; the nodes of one number then take its places in order.
  const places = nodes.map((node) => ({ number: node.number, at: random.below(1_000_000) }));
  places.sort((left, right) => left.at - right.at);
  return places.flatMap(({ number }) => queues.get(number)?.shift() ?? []);
}

const STRANGE_NUMBERS = [15, 16, 33, 36, 42, 100, 2047, 2048, 536_870_911];

/** A field that no version of the message has. 33 and 36 are 1 and 4 beyond the width of a bit set. */
function stranger(random: Random, depth = 0): WireNode {
  const number = random.pick(STRANGE_NUMBERS);
  switch (random.below(depth > 4 ? 4 : 5)) {
    case 0:
      return { number, wireType: 0, value: random.pick([0n, 300n, -1n]) };
    case 1:
      return { number, wireType: 1, value: randomBytes(random, 8) };
    case 2:
      return { number, wireType: 2, value: randomBytes(random, random.below(6)) };
    case 3:
      return { number, wireType: 5, value: randomBytes(random, 4) };
    default: {
      const value = Array.from({ length: random.below(3) }, () => stranger(random, depth + 1));
      return { number, wireType: 3, value };
    }
  }
}

function damageOne(tree: WireTree, random: Random): void {
  const node = tree[random.below(tree.length)];
  if (node === undefined) return;
  if (Array.isArray(node.value) && random.below(8) !== 0) {
    damageOne(node.value, random);
    return;
  }
  switch (random.below(5)) {
    case 0:
      Object.assign(node, stranger(random), { number: node.number });
      break;
    case 1:
      node.number = random.pick([1, 2, 3, 4, 5, 6, 9, 10, 13, ...STRANGE_NUMBERS]);
      break;
    case 2:
      if (node.wireType === 2) node.value = randomBytes(random, random.below(20));
      break;
    case 3:
      if (node.wireType === 2) node.wireType = 3;
      break;
    default:
      tree.splice(random.below(tree.length + 1), 0, structuredClone(node));
  }
}

function randomBytes(random: Random, length: number): Buffer {
  return Buffer.from(Array.from({ length }, () => random.below(256)));
}
