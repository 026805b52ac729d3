/** The part of a CheckRequest that latchkey reads, as a table: for tests that take messages apart. */
export interface MessageSchema {
  readonly [fieldNumber: number]: FieldSchema;
}

export type FieldSchema =
  | { readonly type: 'varint' }
  | { readonly type: 'bytes' }
  | { readonly type: 'message'; readonly of: MessageSchema; readonly repeated: boolean };

const varint: FieldSchema = { type: 'varint' };
const bytes: FieldSchema = { type: 'bytes' };
const one = (of: MessageSchema): FieldSchema => ({ type: 'message', of, repeated: false });
const many = (of: MessageSchema): FieldSchema => ({ type: 'message', of, repeated: true });

const ENTRY: MessageSchema = { 1: bytes, 2: bytes };
const HEADER_VALUE: MessageSchema = { 1: bytes, 2: bytes, 3: bytes };
const HEADER_MAP: MessageSchema = { 1: many(HEADER_VALUE) };
const HTTP: MessageSchema = {
  1: bytes,
  2: bytes,
  3: many(ENTRY),
  4: bytes,
  5: bytes,
  6: bytes,
  13: one(HEADER_MAP),
};
const TIMESTAMP: MessageSchema = { 1: varint, 2: varint };
const REQUEST: MessageSchema = { 1: one(TIMESTAMP), 2: one(HTTP) };
const SOCKET_ADDRESS: MessageSchema = { 2: bytes };
/** Of these three a later one takes the place of an earlier one; what is in a pipe or an internal address is not read. */
const ADDRESS: MessageSchema = { 1: one(SOCKET_ADDRESS), 2: bytes, 3: bytes };
const PEER: MessageSchema = { 1: one(ADDRESS) };
const ATTRIBUTES: MessageSchema = { 1: one(PEER), 4: one(REQUEST), 10: many(ENTRY) };

export const CHECK_REQUEST: MessageSchema = { 1: one(ATTRIBUTES) };

export function isHeaderLine(message: MessageSchema, fieldNumber: number): boolean {
  return (message === HTTP && fieldNumber === 3) || (message === HEADER_MAP && fieldNumber === 1);
}

/** The members of a oneof. */
export function areAlternatives(message: MessageSchema): boolean {
  return message === ADDRESS;
}
