import { z } from 'zod';

/** An object that refuses fields it does not know; the error names those it does. */
export function fields<Shape extends z.core.$ZodLooseShape>(shape: Shape) {
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === 'unrecognized_keys' ? Object.keys(shape).join(', ') : undefined,
  });
}

/** Text of a form that `advice` describes; the advice is told wherever the text is missing or wrong. */
export function textOf(form: RegExp, advice: string) {
  return z.string({ error: advice }).regex(form, advice);
}

/** Names of routes, credentials, plans and limits: they go into logs, metric labels and header values as they are. */
export const nameSchema = textOf(
  /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/,
  'a name is 1 to 64 letters, digits, ".", "_" and "-", and begins with a letter or digit',
);

/** RFC 6749 §3.3 `scope-token`. */
export const scopeSchema = textOf(
  /^[!#-[\]-~]{1,128}$/,
  'a scope is 1 to 128 visible ASCII characters without quotes and backslashes',
);

export const durationSchema = textOf(
  /^[1-9][0-9]{0,8}[smhd]$/,
  'a duration is a whole number and one unit of s, m, h, d: 30s, 1m, 1h, 1d',
);

/** RFC 9110 §5.6.2 `token`. */
export const headerNameSchema = textOf(
  /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,128}$/,
  "a header name is 1 to 128 letters, digits and !#$%&'*+-.^_`|~",
);

export const environmentSchema = textOf(
  /^[a-z][a-z0-9]{0,15}$/,
  'an environment is 1 to 16 small letters and digits and begins with a letter',
);

/** Larger than any quota that means something, and far below where whole numbers end. */
const UNITS_MAX = 1_000_000_000;

export const unitsSchema = z.int().min(1).max(UNITS_MAX);
export const costSchema = z.int().min(0).max(UNITS_MAX);
