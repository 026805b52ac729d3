/** A column of time as milliseconds since the Unix epoch. The column is a name in our own text, never from outside. */
export const epochMs = (column: string): string =>
  `round(extract(epoch FROM ${column}) * 1000)::float8`;
