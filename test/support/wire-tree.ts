import type { MessageSchema } from './check-request-schema.ts';
import type { Random } from './random.ts';

/**
 * A protobuf message taken apart, so that a test can write the same message in other ways that proto3 allows, or in ways
 * that it does not.
 */
export type WireTree = WireNode[];

export interface WireNode {
  number: number;
  wireType: 0 | 1 | 2 | 3 | 5;
  /** Varints as bigint; messages and groups as trees; everything else as the bytes of the value. */
  value: bigint | Uint8Array | WireTree;
}

/** A string or bytes field; text is one character per byte. */
export function text(number: number, value: string): WireNode {
  return { number, wireType: 2, value: Buffer.from(value, 'latin1') };
}

export function message(number: number, ...fields: WireTree): WireNode {
  return { number, wireType: 2, value: fields };
}

export function group(number: number, ...fields: WireTree): WireNode {
  return { number, wireType: 3, value: fields };
}

export function varint(number: number, value: bigint): WireNode {
  return { number, wireType: 0, value };
}

/** Takes well-formed bytes apart; for the output of an encoder only. */
export function parseTree(bytes: Uint8Array, schema: MessageSchema): WireTree {
  const tree: WireTree = [];
  let position = 0;
  const readVarint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[position] ?? 0;
      position += 1;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  const take = (length: number): Uint8Array => {
    position += length;
    return bytes.subarray(position - length, position);
  };
  while (position < bytes.length) {
    const tag = Number(readVarint());
    const number = tag >>> 3;
    switch (tag & 7) {
      case 0:
        tree.push({ number, wireType: 0, value: readVarint() });
        break;
      case 1:
        tree.push({ number, wireType: 1, value: take(8) });
        break;
      case 2: {
        const content = take(Number(readVarint()));
        const field = schema[number];
        const value = field?.type === 'message' ? parseTree(content, field.of) : content;
        tree.push({ number, wireType: 2, value });
        break;
      }
      case 5:
        tree.push({ number, wireType: 5, value: take(4) });
        break;
      default:
        throw new Error(`an encoder wrote wire type ${tag & 7}`);
    }
  }
  return tree;
}

/** `random`: pads some varints with up to nine useless bytes, as the wire format allows. */
export function writeTree(tree: WireTree, random?: Random): Buffer {
  const out: number[] = [];
  append(out, tree, random);
  return Buffer.from(out);
}

function append(out: number[], tree: WireTree, random: Random | undefined): void {
  for (const { number, wireType, value } of tree) {
    appendVarint(out, BigInt((number * 8 + wireType) >>> 0), random);
    if (typeof value === 'bigint') {
      appendVarint(out, value, random);
    } else if (wireType === 3 && Array.isArray(value)) {
      append(out, value, random);
      appendVarint(out, BigInt((number * 8 + 4) >>> 0), random);
    } else {
      const content = Array.isArray(value) ? nested(value, random) : value;
      if (wireType === 2) appendVarint(out, BigInt(content.length), random);
      for (const byte of content) out.push(byte);
    }
  }
}

function nested(tree: WireTree, random: Random | undefined): number[] {
  const out: number[] = [];
  append(out, tree, random);
  return out;
}

function appendVarint(out: number[], value: bigint, random: Random | undefined): void {
  const start = out.length;
  let rest = BigInt.asUintN(64, value);
  if (rest < 0x8000_0000n) {
    let small = Number(rest);
    for (; small >= 0x80; small >>>= 7) out.push((small & 0x7f) | 0x80);
    out.push(small);
  } else {
    for (; rest >= 0x80n; rest >>= 7n) out.push(Number(rest & 0x7fn) | 0x80);
    out.push(Number(rest));
  }
  if (random === undefined || random.below(12) !== 0) return;
  const total = out.length - start + random.below(11 - (out.length - start));
  for (let length = out.length - start; length < total; length += 1) {
    out[out.length - 1] = (out[out.length - 1] ?? 0) | 0x80;
    out.push(0);
  }
}
