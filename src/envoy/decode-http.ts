import { addLine } from './header-slots.ts';
import { HEADER_LINES_MAX, type RequestDraft } from './request-draft.ts';
import { fieldBits, lengthDelimited } from './wire-reader.ts';

const ID = lengthDelimited(1);
const METHOD = lengthDelimited(2);
const HEADERS = lengthDelimited(3);
const PATH = lengthDelimited(4);
const HOST = lengthDelimited(5);
const SCHEME = lengthDelimited(6);
const HEADER_MAP = lengthDelimited(13);
const HTTP_REQUEST_FIELDS = fieldBits(ID, METHOD, HEADERS, PATH, HOST, SCHEME, HEADER_MAP);

/** AttributeContext.HttpRequest. Envoy fills one of `headers` and `header_map`; if both come, both count. */
export function readHttpRequest(draft: RequestDraft): void {
  const { reader } = draft;
  const outer = reader.enter();
  for (let tag = reader.nextTag(); tag !== 0; tag = reader.nextTag()) {
    if (tag === HEADERS) readHeaderLine(draft, MAP_ENTRY_FIELDS);
    else if (tag === HEADER_MAP) readHeaderMap(draft);
    else if (tag === ID) draft.id = reader.byteString();
    else if (tag === METHOD) draft.method = reader.byteString();
    else if (tag === PATH) draft.path = reader.byteString();
    else if (tag === HOST) draft.host = reader.byteString();
    else if (tag === SCHEME) draft.scheme = reader.byteString();
    else reader.skip(tag, HTTP_REQUEST_FIELDS);
  }
  reader.leave(outer);
}

const HEADER_MAP_HEADERS = lengthDelimited(1);
const HEADER_MAP_FIELDS = fieldBits(HEADER_MAP_HEADERS);

function readHeaderMap(draft: RequestDraft): void {
  const { reader } = draft;
  const outer = reader.enter();
  for (let tag = reader.nextTag(); tag !== 0; tag = reader.nextTag()) {
    if (tag === HEADER_MAP_HEADERS) readHeaderLine(draft, HEADER_VALUE_FIELDS);
    else reader.skip(tag, HEADER_MAP_FIELDS);
  }
  reader.leave(outer);
}

const KEY = lengthDelimited(1);
const VALUE = lengthDelimited(2);
const RAW_VALUE = lengthDelimited(3);
const MAP_ENTRY_FIELDS = fieldBits(KEY, VALUE);
const HEADER_VALUE_FIELDS = fieldBits(KEY, VALUE, RAW_VALUE);

/** A map entry or a HeaderValue: the latter has `raw_value` as well, which goes before `value` unless it is empty. */
function readHeaderLine(draft: RequestDraft, fields: number): void {
  const { reader } = draft;
  draft.headerLines += 1;
  if (draft.headerLines > HEADER_LINES_MAX) reader.fail('too_many_fields');
  let slot = -1;
  let valueStart = 0;
  let valueEnd = 0;
  let rawStart = 0;
  let rawEnd = 0;
  const outer = reader.enter();
  for (let tag = reader.nextTag(); tag !== 0; tag = reader.nextTag()) {
    if (tag === KEY) {
      const start = reader.passBytes();
      slot = draft.headerSlots.slotOf(reader.bytes, start, reader.position);
    } else if (tag === VALUE) {
      valueStart = reader.passBytes();
      valueEnd = reader.position;
    } else if (tag === RAW_VALUE && fields === HEADER_VALUE_FIELDS) {
      rawStart = reader.passBytes();
      rawEnd = reader.position;
    } else {
      reader.skip(tag, fields);
    }
  }
  reader.leave(outer);
  if (slot < 0) return;
  const value =
    rawEnd > rawStart
      ? reader.byteStringBetween(rawStart, rawEnd)
      : reader.byteStringBetween(valueStart, valueEnd);
  addLine(draft.headers, slot, value);
}
