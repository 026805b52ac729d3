/** The embedded server cannot be had, and what to do about it. Its message is meant for the person who started it. */
export class EmbeddedPostgresError extends Error {
  override readonly name = 'EmbeddedPostgresError';
}
