import type { LogFields } from './ports.ts';

/** Enough to find the place. */
const FRAMES_MAX = 8;

/** What the engine itself throws for a mistake in the code: such texts name properties and types, not values. */
const PROGRAMMING_ERRORS: ReadonlySet<string> = new Set([
  'TypeError',
  'RangeError',
  'ReferenceError',
]);

/**
 * What may be told of an error: its class, its code, and where it was thrown. Not its message, which may hold what was
 * being worked on: a row, a header, a connection string. Node's own errors (with a code) repeat the value that they refuse.
 */
export function errorFields(error: unknown): LogFields {
  if (!(error instanceof Error)) return { error: typeof error };
  const code = codeOf(error);
  return {
    error: error.name,
    error_code: code,
    error_message:
      code === undefined && PROGRAMMING_ERRORS.has(error.name) ? error.message : undefined,
    error_cause: error.cause instanceof Error ? describe(error.cause) : undefined,
    error_stack: framesOf(error),
  };
}

function describe(error: Error): string {
  const code = codeOf(error);
  return code === undefined ? error.name : `${error.name} ${code}`;
}

/** Node's and Postgres' codes are short words; anything else under that name is somebody's text. */
function codeOf(error: Error): string | undefined {
  const code = 'code' in error ? error.code : undefined;
  return typeof code === 'string' && /^[A-Z0-9_]{1,64}$/.test(code) ? code : undefined;
}

/** The stack begins with the message, over as many lines as it has; frames are the lines that look like one. */
function framesOf(error: Error): string | undefined {
  const messageEnd = (error.stack ?? '').indexOf(error.message) + error.message.length;
  const frames = (error.stack ?? '')
    .slice(messageEnd)
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => /^at \S.*:\d+:\d+\)?$/.test(line));
  return frames.length === 0 ? undefined : frames.slice(0, FRAMES_MAX).join(' < ');
}
