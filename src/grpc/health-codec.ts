/**
 * The two messages of grpc.health.v1 (proto/grpc/health/v1/health.proto), by hand: one string in, one small enum out.
 * That spares the port a protobuf library which reads what anybody sends.
 */

/** `HealthCheckResponse.ServingStatus`. */
export const SERVING_STATUS = { serving: 1, notServing: 2, serviceUnknown: 3 } as const;
export type ServingStatus = (typeof SERVING_STATUS)[keyof typeof SERVING_STATUS];

/** A service's name is short; more is not a health check. */
const REQUEST_BYTES_MAX = 1024;

const SERVICE_TAG = 0x0a;
const STATUS_TAG = 0x08;
const VARINT_BYTES_MAX = 10;

/** `status = 1`, varint; every status fits one byte. */
export const encodeHealthResponse = (status: ServingStatus): Buffer =>
  Buffer.from([STATUS_TAG, status]);

/**
 * @returns the service asked about, '' for the whole server, or undefined for bytes that are no HealthCheckRequest.
 * Fields other than `service` are skipped, and the last `service` counts, as protobuf asks.
 */
export function decodeHealthRequest(bytes: Uint8Array): string | undefined {
  if (bytes.length > REQUEST_BYTES_MAX) return undefined;
  let service = '';
  let at = 0;
  while (at < bytes.length) {
    const tag = readVarint(bytes, at);
    if (tag === undefined) return undefined;
    const end = endOfField(bytes, tag);
    if (end === undefined) return undefined;
    if (tag.value === SERVICE_TAG) {
      const text = readText(bytes.subarray(end.contentStart, end.next));
      if (text === undefined) return undefined;
      service = text;
    }
    at = end.next;
  }
  return service;
}

interface Varint {
  readonly value: number;
  readonly next: number;
}

function readVarint(bytes: Uint8Array, start: number): Varint | undefined {
  let value = 0;
  for (let i = 0; i < VARINT_BYTES_MAX; i++) {
    const byte = bytes[start + i];
    if (byte === undefined) return undefined;
    value += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) return { value, next: start + i + 1 };
  }
  return undefined;
}

function endOfField(
  bytes: Uint8Array,
  tag: Varint,
): { readonly contentStart: number; readonly next: number } | undefined {
  const fieldNumber = Math.floor(tag.value / 8);
  if (fieldNumber === 0) return undefined;
  const field = { contentStart: tag.next, next: tag.next };
  switch (tag.value % 8) {
    case 0: {
      const varint = readVarint(bytes, tag.next);
      if (varint === undefined) return undefined;
      field.next = varint.next;
      break;
    }
    case 1:
      field.next += 8;
      break;
    case 2: {
      const length = readVarint(bytes, tag.next);
      if (length === undefined) return undefined;
      field.contentStart = length.next;
      field.next = length.next + length.value;
      break;
    }
    case 5:
      field.next += 4;
      break;
    // Groups (3, 4) are gone from proto3; 6 and 7 never were.
    default:
      return undefined;
  }
  return field.next <= bytes.length ? field : undefined;
}

function readText(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
