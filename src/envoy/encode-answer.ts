import type {
  Answer,
  DeniedAnswer,
  EncodedStanding,
  HeaderLine,
  MetadataField,
  OkAnswer,
  StandingAnswer,
} from '../model/answer.ts';
import { lengthDelimited, tagOf, WIRE_TYPE } from './wire-reader.ts';
import { WireWriter } from './wire-writer.ts';

/** One for all: an answer is written without a pause, and nothing of it stays that the next one could read. */
const writer = new WireWriter();

/**
 * The bytes of an envoy.service.auth.v3.CheckResponse. What Envoy makes of them:
 * - It allows on `status.code` 0, on a missing status and on an empty message. So a denial always carries another code,
 *   whatever the answer says, and an allow is written out.
 * - It decides between overwriting and appending a header by `append` or by `append_action`, depending on version and
 *   place. Every header carries both, and both say overwrite: a client's own value never survives beside ours.
 * - A header that is both set and removed ends up removed.
 */
export function encodeAnswer(answer: Answer): Uint8Array {
  switch (answer.kind) {
    case 'ok':
      return encodeOk(answer);
    case 'denied':
      return encodeDenied(answer);
  }
}

// Everything below writes back to front (see WireWriter): read each function from its last line up.

const STATUS = lengthDelimited(1);
const DENIED_RESPONSE = lengthDelimited(2);
const OK_RESPONSE = lengthDelimited(3);
const DYNAMIC_METADATA = lengthDelimited(4);
const ERROR_RESPONSE = lengthDelimited(5);

const OK_HEADERS = lengthDelimited(2);
const OK_HEADERS_TO_REMOVE = lengthDelimited(5);
const OK_RESPONSE_HEADERS_TO_ADD = lengthDelimited(6);
const OK_QUERY_PARAMETERS_TO_REMOVE = lengthDelimited(8);

const DENIED_STATUS = lengthDelimited(1);
const DENIED_HEADERS = lengthDelimited(2);
const DENIED_BODY = lengthDelimited(3);

/** google.rpc.Code: 0 is OK, 1 to 16 are the errors. */
const RPC_OK = 0;
const RPC_INTERNAL = 13;
const RPC_CODE_MAX = 16;

/** A refusal is a redirection or an error (RFC 9110 §15.4 to §15.6); anything else can only be a bug, and fails closed. */
const HTTP_REFUSAL_MIN = 300;
const HTTP_REFUSAL_MAX = 599;
const HTTP_SERVICE_UNAVAILABLE = 503;

function encodeOk(answer: OkAnswer): Uint8Array {
  const standing = encodedOnce(answer.standing);
  writer.begin();
  writer.fields(standing.metadata);
  writeMetadataFields(answer.metadata);
  if (writer.written > 0) writer.endMessage(DYNAMIC_METADATA, 0);
  const before = writer.written;
  writeTexts(OK_QUERY_PARAMETERS_TO_REMOVE, answer.removeQueryParameters);
  writeHeaders(OK_RESPONSE_HEADERS_TO_ADD, answer.responseHeaders);
  writeNames(OK_HEADERS_TO_REMOVE, answer.removeRequestHeaders);
  writeHeaders(OK_HEADERS, answer.requestHeaders);
  writer.fields(standing.response);
  writer.endMessage(OK_RESPONSE, before);
  writeCode(STATUS, RPC_OK);
  return writer.take({ longLived: false });
}

/** The same for thousands of requests: their bytes are made on first use and kept beside it. */
function encodedOnce(standing: StandingAnswer): EncodedStanding {
  standing.encoded ??= {
    response: encodedAlone(() => {
      writeNames(OK_HEADERS_TO_REMOVE, standing.removeRequestHeaders);
      writeHeaders(OK_HEADERS, standing.requestHeaders);
    }),
    metadata: encodedAlone(() => writeMetadataFields(standing.metadata)),
  };
  return standing.encoded;
}

function encodedAlone(write: () => void): Uint8Array {
  writer.begin();
  write();
  return writer.take({ longLived: true });
}

function encodeDenied(answer: DeniedAnswer): Uint8Array {
  writer.begin();
  writeMetadataFields(answer.metadata);
  if (writer.written > 0) writer.endMessage(DYNAMIC_METADATA, 0);
  const before = writer.written;
  writer.utf8Field(DENIED_BODY, answer.body);
  writeHeaders(DENIED_HEADERS, answer.headers);
  writeCode(DENIED_STATUS, refusalStatus(answer.httpStatus));
  writer.endMessage(answer.asError ? ERROR_RESPONSE : DENIED_RESPONSE, before);
  writeCode(STATUS, refusalCode(answer.code));
  return writer.take({ longLived: false });
}

function refusalCode(code: number): number {
  return Number.isInteger(code) && code > RPC_OK && code <= RPC_CODE_MAX ? code : RPC_INTERNAL;
}

function refusalStatus(httpStatus: number): number {
  const isRefusal =
    Number.isInteger(httpStatus) &&
    httpStatus >= HTTP_REFUSAL_MIN &&
    httpStatus <= HTTP_REFUSAL_MAX;
  return isRefusal ? httpStatus : HTTP_SERVICE_UNAVAILABLE;
}

const CODE = tagOf(1, WIRE_TYPE.varint);

/** google.rpc.Status or envoy.type.v3.HttpStatus: alike in that `code` is their first field. */
function writeCode(tag: number, code: number): void {
  const before = writer.written;
  writer.varintField(CODE, code);
  writer.endMessage(tag, before);
}

const OPTION_HEADER = lengthDelimited(1);
const OPTION_APPEND = lengthDelimited(2);
const OPTION_APPEND_ACTION = tagOf(3, WIRE_TYPE.varint);
const OVERWRITE_IF_EXISTS_OR_ADD = 2;

/** Names of headers, each a field. */
function writeNames(tag: number, names: readonly string[]): void {
  for (let at = names.length - 1; at >= 0; at -= 1) writer.printableField(tag, names[at] ?? '');
}

/** Any texts, each a field. */
function writeTexts(tag: number, texts: readonly string[]): void {
  for (let at = texts.length - 1; at >= 0; at -= 1) writer.utf8Field(tag, texts[at] ?? '');
}

const HEADER_KEY = lengthDelimited(1);
const HEADER_VALUE = lengthDelimited(2);

/** HeaderValueOptions. An `append` that is present and empty is a BoolValue of false. */
function writeHeaders(tag: number, lines: readonly HeaderLine[]): void {
  for (let at = lines.length - 1; at >= 0; at -= 1) {
    const line = lines[at];
    if (line === undefined) break;
    const beforeOption = writer.written;
    writer.varintField(OPTION_APPEND_ACTION, OVERWRITE_IF_EXISTS_OR_ADD);
    writer.endMessage(OPTION_APPEND, writer.written);
    const beforeHeader = writer.written;
    writer.headerValueField(HEADER_VALUE, line.value);
    writer.printableField(HEADER_KEY, line.name);
    writer.endMessage(OPTION_HEADER, beforeHeader);
    writer.endMessage(tag, beforeOption);
  }
}

const STRUCT_FIELDS = lengthDelimited(1);
const FIELD_NAME = lengthDelimited(1);
const FIELD_VALUE = lengthDelimited(2);
const VALUE_STRING = lengthDelimited(3);

/** The fields of a google.protobuf.Struct of strings. */
function writeMetadataFields(fields: readonly MetadataField[]): void {
  for (let at = fields.length - 1; at >= 0; at -= 1) {
    const field = fields[at];
    if (field === undefined) break;
    const [name, value] = field;
    const before = writer.written;
    writer.utf8Field(VALUE_STRING, value);
    writer.endMessage(FIELD_VALUE, before);
    writer.utf8Field(FIELD_NAME, name);
    writer.endMessage(STRUCT_FIELDS, before);
  }
}
