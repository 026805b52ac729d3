import { createKey, type KeyWithText } from '../accounts/keys/create-key.ts';
import { type Refusal, refusal } from '../accounts/result.ts';
import type { FilePolicy } from '../policy/compile.ts';
import { keyFields } from './key-fields.ts';
import { fields, refuse } from './output.ts';
import { EXIT, type Flags, type Runtime, type Terminal } from './ports.ts';
import { spanMs } from './time-span.ts';
import { withAccounts } from './with-accounts.ts';

export interface CreateFlags extends Flags {
  readonly org: string;
  readonly name: string;
  readonly owner?: string;
  readonly environment: string;
  readonly plan?: string;
  readonly expires?: string;
}

export const NO_POLICY: Refusal = refusal(
  'invalid',
  'The look of a key is set by the policy. Name its file with --policy FILE, or set LATCHKEY_POLICY.',
);

export function createKeyCommand(runtime: Runtime, flags: CreateFlags): Promise<number> {
  const json = flags['json'] === true;
  return withAccounts(runtime, flags, async ({ accounts, actor, policy }, signal) => {
    if (policy === undefined) return refuse(runtime.terminal, NO_POLICY, json);
    const unknown = unknownPlan(flags.plan, policy);
    if (unknown !== undefined) return refuse(runtime.terminal, unknown, json);
    const expiresAtMs = expiryOf(flags.expires, accounts.clock().wallMs);
    if (typeof expiresAtMs === 'object' && expiresAtMs !== null) {
      return refuse(runtime.terminal, expiresAtMs, json);
    }
    const wish = {
      organization: flags.org,
      owner: flags.owner ?? null,
      name: flags.name,
      environment: flags.environment,
      scopes: listFlag(flags, 'scope'),
      plan: flags.plan ?? null,
      allowedCidrs: listFlag(flags, 'cidr'),
      metadata: {},
      expiresAtMs,
    };
    const created = await createKey(
      accounts,
      { wish, format: policy.keyFormat },
      { actor, signal },
    );
    if (created.kind === 'refused') return refuse(runtime.terminal, created, json);
    tellKey(runtime.terminal, created.value, json);
    return EXIT.ok;
  });
}

/** Standard output holds the key and nothing else that is secret: this is the one time that it is shown. */
export function tellKey(terminal: Terminal, { record, text }: KeyWithText, json: boolean): void {
  if (json) {
    terminal.out(JSON.stringify({ ...record, key: text }));
    return;
  }
  for (const line of fields([...keyFields(record), ['key', text]])) terminal.out(line);
  terminal.err('Store the key now: it is not shown again.');
}

/** A plan that the policy does not have would silently be the default. */
export function unknownPlan(
  plan: string | undefined,
  { plans }: Pick<FilePolicy, 'plans'>,
): Refusal | undefined {
  if (plan === undefined || plans.has(plan)) return undefined;
  return refusal(
    'invalid',
    `The policy has no plan ${JSON.stringify(plan)}. It has: ${[...plans.keys()].join(', ')}.`,
  );
}

function listFlag(flags: object, name: string): readonly string[] {
  const value: unknown = Reflect.get(flags, name);
  return Array.isArray(value)
    ? value.filter((item): item is string => typeof item === 'string')
    : [];
}

function expiryOf(text: string | undefined, wallMs: number): number | null | Refusal {
  if (text === undefined) return null;
  const span = spanMs(text);
  if (span !== undefined) return wallMs + span;
  const atMs = /^\d{4}-\d{2}-\d{2}/.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(atMs)) return atMs;
  return refusal(
    'invalid',
    `${JSON.stringify(text)} is no time. Write a span (90d, 12h) or a time (2027-01-31T00:00:00Z).`,
  );
}
