import { z } from 'zod';
import type { ImportedKey } from '../accounts/keys/import-keys.ts';
import { timeWithOffset } from './time-span.ts';

const row = z
  .strictObject({
    org: z.string(),
    name: z.string(),
    text: z.string().optional(),
    sha256: z.string().optional(),
    owner: z.string().nullable().default(null),
    environment: z.string().min(1).max(32).default('live'),
    scopes: z.array(z.string()).default([]),
    plan: z.string().nullable().default(null),
    cidrs: z.array(z.string()).default([]),
    expires: timeWithOffset.nullable().default(null),
    metadata: z.record(z.string(), z.json()).default({}),
  })
  .refine(({ text, sha256 }) => (text === undefined) !== (sha256 === undefined), {
    message: 'give either text or sha256',
  });

const FIELDS = Object.keys(row.shape).join(', ');

/** One line of a file of keys, or what is wrong with it: without a word of the line, which may hold a key anywhere. */
export function parseImportLine(line: string): ImportedKey | string {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    // The parser's own message quotes the line.
    return 'not JSON';
  }
  const parsed = row.safeParse(value);
  if (!parsed.success) return parsed.error.issues.map(issueText).join('; ');
  const { org, name, text, sha256, owner, environment, scopes, plan, cidrs, expires, metadata } =
    parsed.data;
  return {
    ...{ organization: org, name, owner, environment, scopes, plan, allowedCidrs: cidrs, metadata },
    expiresAtMs: expires === null ? null : Date.parse(expires),
    secret: text === undefined ? { by: 'sha256', hex: sha256 ?? '' } : { by: 'text', text },
  };
}

/** Zod names unknown fields, and the names of metadata: a file that is laid out in another way may have keys there. */
function issueText({ code, path, message }: z.core.$ZodIssue): string {
  if (code === 'unrecognized_keys') return `a field that is not known; those there are: ${FIELDS}`;
  const [field] = path;
  return field === undefined ? message : `${String(field)}: ${message}`;
}
