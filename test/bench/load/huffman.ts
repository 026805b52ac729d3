/** Bits of the code of each byte, and last of the end of the string: RFC 7541, appendix B. */
// biome-ignore format: sixteen to a row, as the byte values are
const CODE_BITS: readonly number[] = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
  28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
   6, 10, 10, 12, 13,  6,  8, 11, 10, 10,  8, 11,  8,  6,  6,  6,
   5,  5,  5,  6,  6,  6,  6,  6,  6,  6,  7,  8, 15,  6, 12, 10,
  13,  6,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,
   7,  7,  7,  7,  7,  7,  7,  7,  8,  7,  8, 13, 19, 13, 14,  6,
  15,  5,  6,  5,  6,  5,  6,  6,  6,  5,  7,  7,  6,  6,  6,  5,
   6,  7,  6,  5,  5,  6,  7,  7,  7,  7,  7, 15, 11, 14, 13, 28,
  20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
  24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
  22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
  21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
  26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
  19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
  20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
  26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
  30,
];

/** An inner node holds the place of the node for 0, and that for 1 next to it; a leaf holds its byte. */
interface Tree {
  readonly children: Int16Array;
}

const TREE = buildTree();

/** The code is canonical: within a length the codes count up with the bytes, so the lengths tell it all. */
function buildTree(): Tree {
  const order = CODE_BITS.map((bits, symbol) => ({ bits, symbol })).sort(
    (a, b) => a.bits - b.bits || a.symbol - b.symbol,
  );
  // Two places per inner node: a positive number is the next inner node, −1 − byte a leaf, 0 nothing yet.
  const children = new Int16Array(2 * CODE_BITS.length);
  let nodes = 1;
  let code = 0;
  let bitsBefore = 0;
  for (const { bits, symbol } of order) {
    code = (code << (bits - bitsBefore)) >>> 0;
    bitsBefore = bits;
    let node = 0;
    for (let bit = bits - 1; bit > 0; bit -= 1) {
      const place = 2 * node + ((code >>> bit) & 1);
      if (children[place] === 0) {
        children[place] = nodes;
        nodes += 1;
      }
      node = children[place] ?? 0;
    }
    children[2 * node + (code & 1)] = -1 - symbol;
    code += 1;
  }
  return { children };
}

/** The text of a Huffman-coded string, one character per byte. */
export function decodeHuffman(bytes: Uint8Array, start: number, end: number): string {
  const { children } = TREE;
  let text = '';
  let node = 0;
  for (let at = start; at < end; at += 1) {
    const byte = bytes[at] ?? 0;
    for (let bit = 7; bit >= 0; bit -= 1) {
      const next = children[2 * node + ((byte >>> bit) & 1)] ?? 0;
      if (next < 0) {
        text += String.fromCharCode(-1 - next);
        node = 0;
      } else {
        node = next;
      }
    }
  }
  // What is left are ones that fill the last byte.
  return text;
}
