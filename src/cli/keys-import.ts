import { type ImportedKey, importKeys, nothingImported } from '../accounts/keys/import-keys.ts';
import { ok, type Result, refusal } from '../accounts/result.ts';
import type { FilePolicy } from '../policy/compile.ts';
import { parseImportLine } from './import-line.ts';
import { createReply, type Reply } from './output.ts';
import { unknownEnvironment, unknownPlan } from './policy-checks.ts';
import type { Flags, Runtime } from './ports.ts';
import { withAccounts } from './with-accounts.ts';

/** Some hundred thousand keys; what is larger is split. */
const FILE_BYTES_MAX = 64 * 1024 * 1024;

export async function importKeysCommand(
  runtime: Runtime,
  file: string,
  flags: Flags,
): Promise<number> {
  const reply = createReply(runtime.terminal, flags);
  const policy = await runtime.readPolicy(flags);
  if (policy.kind === 'refused') return reply.refuse(policy);
  const content = await runtime.terminal.read(file, FILE_BYTES_MAX);
  if (content.kind === 'refused') return reply.refuse(content);
  const parsed = parseLines(content.value, policy.value);
  if (parsed.kind === 'refused') return reply.refuse(parsed);
  return withAccounts(runtime, flags, async ({ accounts, actor, signal }) => {
    const imported = await importKeys(accounts, parsed.value, { actor, signal });
    if (imported.kind === 'refused') return reply.refuse(imported);
    const { ids } = imported.value;
    noteAcceptance(reply, parsed.value, policy.value);
    return reply.tell({ imported: ids.length, ids }, [
      `Imported ${ids.length} ${ids.length === 1 ? 'key' : 'keys'}.`,
    ]);
  });
}

/** Every bad line is told; none of their texts is, since they may hold keys. */
function parseLines(
  content: string,
  policy: FilePolicy | undefined,
): Result<readonly ImportedKey[]> {
  const rows: ImportedKey[] = [];
  const problems: string[] = [];
  for (const [index, line] of content.split('\n').entries()) {
    if (line.trim() === '') continue;
    const place = `line ${index + 1}`;
    const parsed = parseImportLine(line);
    const problem = typeof parsed === 'string' ? parsed : policyProblem(parsed, policy);
    if (typeof parsed !== 'string') rows.push({ ...parsed, place });
    if (problem !== undefined) problems.push(`${place}: ${problem}`);
  }
  if (problems.length > 0) return nothingImported(problems);
  if (rows.length === 0) return refusal('invalid', 'There is no key in the file.');
  return ok(rows);
}

function policyProblem(row: ImportedKey, policy: FilePolicy | undefined): string | undefined {
  if (policy === undefined) return undefined;
  const unknown = unknownPlan(row.plan, policy) ?? unknownEnvironment(row.environment, policy);
  return unknown?.message;
}

/** A key that no replica looks up is of no use, and nothing else would tell. */
function noteAcceptance(
  reply: Reply,
  rows: readonly ImportedKey[],
  policy: FilePolicy | undefined,
): void {
  if (policy === undefined) {
    reply.note('No policy was named: whether it accepts these keys was not checked.');
    return;
  }
  const refused = rows.filter(
    ({ secret }) => secret.by === 'text' && policy.readKey(secret.text).kind === 'refused',
  );
  if (refused.length === 0) return;
  reply.note(
    `The policy refuses the text of ${refused.length} of them as it is: name how they begin in key_format.also_accept, or set key_format.accept_foreign.`,
  );
}
