import { z } from 'zod';
import { type ImportedKey, importKeys } from '../accounts/keys/import-keys.ts';
import { ok, type Result, refusal } from '../accounts/result.ts';
import { refuse } from './output.ts';
import { EXIT, type Flags, type Runtime } from './ports.ts';
import { withAccounts } from './with-accounts.ts';

export type ImportFlags = Flags;

/** Some hundred thousand keys; what is larger is split. */
const FILE_BYTES_MAX = 64 * 1024 * 1024;
const PROBLEMS_SHOWN_MAX = 20;

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
    expires: z.iso.datetime({ offset: true }).nullable().default(null),
    metadata: z.record(z.string(), z.json()).default({}),
  })
  .refine(({ text, sha256 }) => (text === undefined) !== (sha256 === undefined), {
    message: 'give either text or sha256',
  });

export async function importKeysCommand(
  runtime: Runtime,
  file: string,
  flags: ImportFlags,
): Promise<number> {
  const json = flags['json'] === true;
  const content = await runtime.terminal.read(file, FILE_BYTES_MAX);
  if (content.kind === 'refused') return refuse(runtime.terminal, content, json);
  const parsed = parseRows(content.value);
  if (parsed.kind === 'refused') return refuse(runtime.terminal, parsed, json);
  return withAccounts(runtime, flags, async ({ accounts, actor }, signal) => {
    const imported = await importKeys(accounts, parsed.value, { actor, signal });
    if (imported.kind === 'refused') return refuse(runtime.terminal, imported, json);
    const { ids } = imported.value;
    if (json) runtime.terminal.out(JSON.stringify({ imported: ids.length, ids }));
    else runtime.terminal.out(`Imported ${ids.length} ${ids.length === 1 ? 'key' : 'keys'}.`);
    return EXIT.ok;
  });
}

/** Every bad line is told; none of their texts is, since they may hold keys. */
function parseRows(content: string): Result<readonly ImportedKey[]> {
  const rows: ImportedKey[] = [];
  const problems: string[] = [];
  for (const [index, line] of content.split('\n').entries()) {
    if (line.trim() === '') continue;
    const parsed = parseRow(line);
    if (typeof parsed === 'string') problems.push(`line ${index + 1}: ${parsed}`);
    else rows.push(parsed);
  }
  if (problems.length > 0) {
    const shown = problems.slice(0, PROBLEMS_SHOWN_MAX);
    if (problems.length > shown.length) shown.push(`and ${problems.length - shown.length} more`);
    return refusal('invalid', `Nothing was imported.\n${shown.join('\n')}`);
  }
  if (rows.length === 0) return refusal('invalid', 'There is no key in the file.');
  return ok(rows);
}

function parseRow(line: string): ImportedKey | string {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    // The parser's own message quotes the line.
    return 'not JSON';
  }
  const parsed = row.safeParse(value);
  if (!parsed.success) {
    return parsed.error.issues
      .map((issue) =>
        [issue.path.join('.'), issue.message].filter((part) => part !== '').join(': '),
      )
      .join('; ');
  }
  const { org, name, text, sha256, owner, environment, scopes, plan, cidrs, expires, metadata } =
    parsed.data;
  return {
    ...{ organization: org, name, owner, environment, scopes, plan, allowedCidrs: cidrs, metadata },
    expiresAtMs: expires === null ? null : Date.parse(expires),
    secret: text === undefined ? { by: 'sha256', hex: sha256 ?? '' } : { by: 'text', text },
  };
}
