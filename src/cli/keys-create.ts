import { createKey, type KeyWish, type KeyWithText } from '../accounts/keys/create-key.ts';
import { type Refusal, type Result, refusal } from '../accounts/result.ts';
import type { FilePolicy } from '../policy/compile.ts';
import { keyFields } from './key-fields.ts';
import { createReply, fields, type Reply } from './output.ts';
import { unknownPlan, unusedScopes } from './policy-checks.ts';
import type { Flags, Runtime } from './ports.ts';
import { expiryMs } from './time-span.ts';
import { withAccounts } from './with-accounts.ts';

/** As commander gives them: an option that may be repeated is a list. */
export interface CreateFlags {
  readonly org: string;
  readonly name: string;
  readonly owner?: string;
  readonly scope?: readonly string[];
  readonly environment: string;
  readonly plan?: string;
  readonly expires?: string;
  readonly cidr?: readonly string[];
}

export async function createKeyCommand(
  runtime: Runtime,
  wanted: CreateFlags,
  flags: Flags,
): Promise<number> {
  const reply = createReply(runtime.terminal, flags);
  const policy = await policyForKeys(runtime, flags);
  if (policy.kind === 'refused') return reply.refuse(policy);
  const { keyFormat: format } = policy.value;
  const unknown = unknownPlan(wanted.plan ?? null, policy.value);
  if (unknown !== undefined) return reply.refuse(unknown);
  return withAccounts(runtime, flags, async ({ accounts, actor, signal }) => {
    const wish = wishOf(wanted, accounts.clock().wallMs);
    if ('kind' in wish) return reply.refuse(wish);
    const created = await createKey(accounts, { wish, format }, { actor, signal });
    if (created.kind === 'refused') return reply.refuse(created);
    if (wish.scopes.length === 0) {
      reply.note('The key has no scope: it opens only routes that ask for none (see --scope).');
    }
    for (const scope of unusedScopes(wish.scopes, policy.value)) {
      reply.note(`No route of the policy asks for the scope ${JSON.stringify(scope)}.`);
    }
    return tellKey(reply, created.value, keyFields(created.value.record));
  });
}

/** What a key looks like is the policy's matter. */
export async function policyForKeys(runtime: Runtime, flags: Flags): Promise<Result<FilePolicy>> {
  const read = await runtime.readPolicy(flags);
  if (read.kind === 'refused') return read;
  if (read.value !== undefined) return { kind: 'ok', value: read.value };
  return refusal(
    'invalid',
    'The look of a key is set by the policy. Name its file with --policy FILE, or set LATCHKEY_POLICY.',
  );
}

/**
 * This is the one time that a key is shown. Standard output is the key and nothing else, so that
 * `KEY=$(latchkey keys create …)` works; what a person wants to know besides goes to standard error.
 */
export function tellKey(
  reply: Reply,
  { record, text }: KeyWithText,
  about: readonly (readonly [string, string])[],
): number {
  const exitCode = reply.tell({ ...record, key: text }, [text]);
  reply.note('Store the key now: it is not shown again.');
  for (const line of fields(about)) reply.note(line);
  return exitCode;
}

function wishOf(wanted: CreateFlags, wallMs: number): KeyWish | Refusal {
  const expiresAtMs = wanted.expires === undefined ? null : expiryMs(wanted.expires, wallMs);
  if (typeof expiresAtMs === 'object' && expiresAtMs !== null) return expiresAtMs;
  return {
    organization: wanted.org,
    owner: wanted.owner ?? null,
    name: wanted.name,
    environment: wanted.environment,
    scopes: wanted.scope ?? [],
    plan: wanted.plan ?? null,
    allowedCidrs: wanted.cidr ?? [],
    metadata: {},
    expiresAtMs,
  };
}
