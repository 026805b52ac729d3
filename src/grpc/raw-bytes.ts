/** What grpc-js calls a deserializer, for a message that its handler reads itself. */
export const bytesIn = (bytes: Buffer): Buffer => bytes;

/** What grpc-js calls a serializer: it wants a Buffer, here a view of the same memory and no copy. */
export const bytesOut = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
