import { createRequestDecoder } from '../../src/envoy/decode-request.ts';
import type { DecodedRequest } from '../../src/model/request.ts';
import {
  type ByteOracleRequest,
  loadByteOracle,
  loadProtoOracle,
  type OracleRequest,
} from './proto-oracle.ts';
import { seededRandom } from './random.ts';
import { randomCheckRequest, WANTED } from './random-check-request.ts';
import { referenceDecode, slotsOf } from './reference-decoder.ts';
import { damage, rewrite, scramble } from './rewrite-message.ts';

/**
 * One comparison of the decoder per seed. Each throws with the seed and the bytes if the decoders disagree, and gives what
 * ours said, so that a run can tell whether it saw all there is to see.
 */
export interface DecoderCases {
  /** A random message as proto-loader writes it, read by both. */
  asWritten(seed: number): DecodedRequest;
  /** The same message written in another way must read the same. */
  rewritten(seed: number): DecodedRequest;
  /** Well-formed lengths, wrong contents. */
  damaged(seed: number): DecodedRequest;
  /** Bytes changed at random. */
  scrambled(seed: number): DecodedRequest;
}

export function createDecoderCases(): DecoderCases {
  const oracle = loadProtoOracle();
  const byteOracle = loadByteOracle();
  const decode = createRequestDecoder(WANTED);

  const written = (seed: number) => {
    const random = seededRandom(seed);
    return { random, bytes: oracle.encodeRequest(randomCheckRequest(random)) };
  };

  /** Ours, the plain reference and, where it follows the specification, protobufjs: all three agree. */
  const decodeAndCompare = (bytes: Buffer, seed: number): DecodedRequest => {
    const ours = decode(bytes);
    const reference = referenceDecode(bytes, WANTED);
    expectSame(ours, reference.decoded, { seed, bytes, other: 'the reference' });
    if (ours.kind === 'request' && !reference.protobufjsDiffers) {
      const judged = decodedByByteOracle(byteOracle(bytes));
      expectSame(withSortedLines(ours), withSortedLines(judged), {
        seed,
        bytes,
        other: 'protobufjs',
      });
    }
    return ours;
  };

  return {
    asWritten(seed) {
      const { bytes } = written(seed);
      const ours = decode(bytes);
      const judged = decodedByOracle(oracle.decodeRequest(bytes));
      expectSame(ours, judged, { seed, bytes, other: 'proto-loader' });
      return ours;
    },
    rewritten(seed) {
      const { random, bytes } = written(seed);
      const rewrittenBytes = rewrite(bytes, random);
      const ours = decodeAndCompare(rewrittenBytes, seed);
      const judged = decodedByOracle(oracle.decodeRequest(bytes));
      const context = { seed, bytes: rewrittenBytes, other: 'proto-loader on the original' };
      expectSame(withSortedLines(ours), withSortedLines(judged), context);
      return ours;
    },
    damaged(seed) {
      const { random, bytes } = written(seed);
      return decodeAndCompare(damage(bytes, random), seed);
    },
    scrambled(seed) {
      const { random, bytes } = written(seed);
      return decodeAndCompare(scramble(bytes, random), seed);
    },
  };
}

/** What `CheckInput` should be by the message that proto-loader read. */
function decodedByOracle({ attributes }: OracleRequest): DecodedRequest {
  const http = attributes?.request?.http;
  const headerLines = http?.header_map?.headers ?? [];
  return decodedBy({
    id: byteString(http?.id ?? ''),
    method: byteString(http?.method ?? ''),
    path: byteString(http?.path ?? ''),
    host: byteString(http?.host ?? ''),
    scheme: byteString(http?.scheme ?? ''),
    lines: [
      ...Object.entries(http?.headers ?? {}).map((line) => line.map(byteString)),
      ...headerLines.map(({ key, value, raw_value: raw }) => [
        byteString(key),
        raw.toString('latin1') || byteString(value),
      ]),
    ],
    peerAddress: socketAddress(attributes?.source?.address)?.toString() ?? '',
    rules: Object.entries(attributes?.context_extensions ?? {}).map((entry) =>
      entry.map(byteString),
    ),
    time: attributes?.request?.time ?? { seconds: '0', nanos: 0 },
  });
}

function decodedByByteOracle({ attributes }: ByteOracleRequest): DecodedRequest {
  const http = attributes?.request?.http;
  const text = (bytes: Buffer | undefined) => bytes?.toString('latin1') ?? '';
  const headerLines = http?.header_map?.headers ?? [];
  return decodedBy({
    id: text(http?.id),
    method: text(http?.method),
    path: text(http?.path),
    host: text(http?.host),
    scheme: text(http?.scheme),
    lines: [
      ...(http?.headers ?? []).map(({ key, value }) => [text(key), text(value)]),
      ...headerLines.map(({ key, value, raw_value: raw }) => [text(key), text(raw) || text(value)]),
    ],
    peerAddress: text(socketAddress(attributes?.source?.address)),
    rules: (attributes?.context_extensions ?? []).map(({ key, value }) => [text(key), text(value)]),
    time: attributes?.request?.time ?? { seconds: '0', nanos: 0 },
  });
}

interface Facts {
  readonly id: string;
  readonly method: string;
  readonly path: string;
  readonly host: string;
  readonly scheme: string;
  /** Pairs of name and value, as are `rules`. */
  readonly lines: readonly (readonly string[])[];
  readonly peerAddress: string;
  readonly rules: readonly (readonly string[])[];
  readonly time: { readonly seconds: string; readonly nanos: number };
}

function decodedBy(facts: Facts): DecodedRequest {
  const { id, method, path, host, scheme, time } = facts;
  if (method === '' || path === '') return { kind: 'malformed', cause: 'attributes_missing' };
  const lines = facts.lines.map(([name = '', value = '']) => [name, value] as const);
  return {
    kind: 'request',
    input: {
      method,
      path,
      host,
      scheme,
      headers: slotsOf(lines, WANTED),
      peerAddress: facts.peerAddress === '' ? undefined : facts.peerAddress,
      ruleName: facts.rules.findLast(([key]) => key === 'rule')?.[1],
      requestKey: id === '' ? undefined : `${id}:${time.seconds}.${time.nanos}`,
    },
  };
}

/** The address if the socket is what the oneof holds. */
function socketAddress<Text>(
  address:
    | null
    | undefined
    | { readonly address?: string; readonly socket_address?: { readonly address: Text } },
): Text | undefined {
  return address?.address === 'socket_address' ? address.socket_address?.address : undefined;
}

function byteString(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

/** General decoders tell the lines of the map and those of the list apart and so lose the order between the two. */
function withSortedLines(decoded: DecodedRequest): DecodedRequest {
  if (decoded.kind === 'malformed') return decoded;
  const headers = decoded.input.headers.map((slot) =>
    typeof slot === 'object' ? slot.toSorted() : slot,
  );
  return { kind: 'request', input: { ...decoded.input, headers } };
}

interface Context {
  readonly seed: number;
  readonly bytes: Buffer;
  readonly other: string;
}

function expectSame(ours: DecodedRequest, theirs: DecodedRequest, context: Context): void {
  const [left, right] = [JSON.stringify(ours), JSON.stringify(theirs)];
  if (left === right) return;
  throw new Error(
    `seed ${context.seed}: ours differs from ${context.other}\nours   ${left}\ntheirs ${right}\nbytes  ${context.bytes.toString('hex')}`,
  );
}
