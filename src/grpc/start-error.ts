/** The server cannot start for a reason that the operator can remove: the message says which file or address, and what to do. */
export class GrpcStartError extends Error {
  override readonly name = 'GrpcStartError';
}

/** The code of a Node error (`ENOENT`, `ERR_OSSL_…`), which, unlike its text, is stable and holds no file's content. */
export const errorCode = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string'
    ? error.code
    : 'unknown error';
