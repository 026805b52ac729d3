import type { DecodedRequest } from '../model/request.ts';
import { readHttpRequest } from './decode-http.ts';
import { readPeer } from './decode-peer.ts';
import { createHeaderSlots } from './header-slots.ts';
import { inputOf, newDraft, type RequestDraft } from './request-draft.ts';
import { fieldBits, lengthDelimited, tagOf, WIRE_TYPE } from './wire-reader.ts';

/**
 * Most bytes of a CheckRequest. Envoy's default limit of 60 KiB of request headers can appear twice (the path stands in a
 * field of its own, too), so this leaves room for an eightfold limit, and nobody can make us walk over more.
 */
export const CHECK_REQUEST_BYTES_MAX = 1024 * 1024;

/** Reads the bytes of a CheckRequest; never throws, whatever the bytes. */
export type RequestDecoder = (bytes: Uint8Array) => DecodedRequest;

/**
 * A decoder of envoy.service.auth.v3.CheckRequest that reads what `CheckInput` holds and passes over everything else.
 * `wantedHeaders[i]` names the header that fills slot `i`; an empty name leaves it unused.
 *
 * It differs from a general protobuf decoder on purpose:
 * - Every line of a header is kept, from the map (field 3) and from the list (field 13). In a protobuf map the last entry
 *   of a key replaces the others, and a second credential would go unseen.
 * - Strings are bytes and need not be UTF-8. A client can send any byte in a header; were such a message refused as a
 *   whole, the refusal would be the client's to provoke.
 * - A field that is read must have its own wire type, where protobuf takes it for an unknown one.
 * As in protobuf, a message that comes in pieces is merged, and of several single values the last one counts.
 */
export function createRequestDecoder(wantedHeaders: readonly string[]): RequestDecoder {
  const headerSlots = createHeaderSlots(wantedHeaders);
  return (bytes) => {
    if (bytes.length > CHECK_REQUEST_BYTES_MAX) return { kind: 'malformed', cause: 'oversized' };
    const draft = newDraft(asBuffer(bytes), headerSlots);
    readCheckRequest(draft);
    const cause = draft.reader.cause;
    if (cause !== undefined) return { kind: 'malformed', cause };
    // Every HTTP request has a method and a path, so this also tells that the attributes are missing altogether.
    if (draft.method === '' || draft.path === '') {
      return { kind: 'malformed', cause: 'attributes_missing' };
    }
    return { kind: 'request', input: inputOf(draft) };
  };
}

/** Buffers read Latin-1 natively; a plain Uint8Array is looked at through one, without a copy. */
function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

// The tags of the fields that are read, message by message; the numbers are those of proto/.

const ATTRIBUTES = lengthDelimited(1);
const CHECK_REQUEST_FIELDS = fieldBits(ATTRIBUTES);

function readCheckRequest(draft: RequestDraft): void {
  const { reader } = draft;
  for (let tag = reader.nextTag(); tag !== 0; tag = reader.nextTag()) {
    if (tag === ATTRIBUTES) readAttributes(draft);
    else reader.skip(tag, CHECK_REQUEST_FIELDS);
  }
}

const SOURCE = lengthDelimited(1);
const REQUEST = lengthDelimited(4);
const CONTEXT_EXTENSIONS = lengthDelimited(10);
const ATTRIBUTES_FIELDS = fieldBits(SOURCE, REQUEST, CONTEXT_EXTENSIONS);

function readAttributes(draft: RequestDraft): void {
  const { reader } = draft;
  const outer = reader.enter();
  for (let tag = reader.nextTag(); tag !== 0; tag = reader.nextTag()) {
    if (tag === SOURCE) readPeer(draft);
    else if (tag === REQUEST) readRequest(draft);
    else if (tag === CONTEXT_EXTENSIONS) readContextExtension(draft);
    else reader.skip(tag, ATTRIBUTES_FIELDS);
  }
  reader.leave(outer);
}

const TIME = lengthDelimited(1);
const HTTP = lengthDelimited(2);
const REQUEST_FIELDS = fieldBits(TIME, HTTP);

function readRequest(draft: RequestDraft): void {
  const { reader } = draft;
  const outer = reader.enter();
  for (let tag = reader.nextTag(); tag !== 0; tag = reader.nextTag()) {
    if (tag === TIME) readTimestamp(draft);
    else if (tag === HTTP) readHttpRequest(draft);
    else reader.skip(tag, REQUEST_FIELDS);
  }
  reader.leave(outer);
}

const SECONDS = tagOf(1, WIRE_TYPE.varint);
const NANOS = tagOf(2, WIRE_TYPE.varint);
const TIMESTAMP_FIELDS = fieldBits(SECONDS, NANOS);

function readTimestamp(draft: RequestDraft): void {
  const { reader } = draft;
  const outer = reader.enter();
  for (let tag = reader.nextTag(); tag !== 0; tag = reader.nextTag()) {
    if (tag === SECONDS) draft.startSeconds = reader.decimal(64);
    else if (tag === NANOS) draft.startNanos = reader.decimal(32);
    else reader.skip(tag, TIMESTAMP_FIELDS);
  }
  reader.leave(outer);
}

const ENTRY_KEY = lengthDelimited(1);
const ENTRY_VALUE = lengthDelimited(2);
const ENTRY_FIELDS = fieldBits(ENTRY_KEY, ENTRY_VALUE);

/** A map entry from Envoy's own configuration: clients cannot add one, so the map's rule (the last one counts) will do. */
function readContextExtension(draft: RequestDraft): void {
  const { reader } = draft;
  let key = '';
  let value = '';
  const outer = reader.enter();
  for (let tag = reader.nextTag(); tag !== 0; tag = reader.nextTag()) {
    if (tag === ENTRY_KEY) key = reader.byteString();
    else if (tag === ENTRY_VALUE) value = reader.byteString();
    else reader.skip(tag, ENTRY_FIELDS);
  }
  reader.leave(outer);
  if (key === 'rule') draft.ruleName = value;
}
