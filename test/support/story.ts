import { check, type Outcome } from '../../src/check.ts';
import { parseCidr } from '../../src/model/address.ts';
import type { Now } from '../../src/model/clock.ts';
import type { Digest, KeyId, OrganizationId, UserId } from '../../src/model/ids.ts';
import { keySubject } from '../../src/model/ids.ts';
import type { Charge, LimitMemory, SpendResult } from '../../src/model/limit-memory.ts';
import type { Fact, PrincipalMemory } from '../../src/model/memory.ts';
import type { CompiledPolicy } from '../../src/model/policy.ts';
import type { CheckInput } from '../../src/model/request.ts';
import type { KnownCredential, Subject } from '../../src/model/subject.ts';
import { checkPolicyText } from '../../src/policy/check-policy.ts';

/** A policy from YAML, or the test fails with its errors. */
export function policyOf(yaml: string): CompiledPolicy {
  const result = checkPolicyText(yaml);
  if (result.policy === undefined) throw new Error(JSON.stringify(result.errors, null, 2));
  return result.policy;
}

export const NOW: Now = { wallMs: 1_800_000_000_000, monoMs: 5_000_000 };

export function subject(changes: Partial<Subject> & { cidrs?: readonly string[] } = {}): Subject {
  const { cidrs = [], ...rest } = changes;
  const keyId = (changes.keyId ?? 'k0000000001') as KeyId;
  return {
    id: keySubject(keyId),
    keyId,
    name: 'test key',
    environment: 'live',
    scopes: ['read'],
    plan: null,
    organizationId: 'org_1' as OrganizationId,
    organizationName: 'acme',
    organizationPlan: null,
    organizationDisabledAtMs: null,
    ownerId: 'usr_1' as UserId,
    ownerRole: 'member',
    ownerDisabledAtMs: null,
    allowedCidrs: cidrs.map((text) => {
      const cidr = parseCidr(text);
      if (cidr === undefined) throw new Error(`bad CIDR in a test: ${text}`);
      return cidr;
    }),
    expiresAtMs: null,
    disabledAtMs: null,
    revokedAtMs: null,
    principal: undefined,
    ...rest,
  };
}

/** Memory with these key texts, and a record of what it was asked. */
export function memoryOf(
  policy: CompiledPolicy,
  entries: Record<string, Subject | 'absent'>,
  secretExpiresAtMs: number | null = null,
): PrincipalMemory & { readonly asked: Digest[] } {
  const known = new Map<Digest, KnownCredential | 'absent'>();
  for (const [text, entry] of Object.entries(entries)) {
    const reading = policy.readKey(text);
    if (reading.kind !== 'lookup') throw new Error(`not a key text of this policy: ${text}`);
    known.set(
      reading.digest,
      entry === 'absent' ? entry : { digest: reading.digest, secretExpiresAtMs, subject: entry },
    );
  }
  const asked: Digest[] = [];
  return {
    asked,
    find: (_kind, digest) => {
      asked.push(digest);
      return known.get(digest);
    },
  };
}

/** Counts down whole quotas, never refills: enough for the story, whose arithmetic is tested elsewhere. */
export function countingLimits(): LimitMemory & { readonly spent: Map<string, number> } {
  const spent = new Map<string, number>();
  const report = (charge: Charge, cost: number, after: boolean) => {
    const used = spent.get(charge.bucket) ?? 0;
    const left = charge.limit.quota - used;
    return {
      limit: charge.limit,
      remaining: after ? left - cost : left,
      resetMs: charge.limit.windowMs,
      retryAfterMs: left >= cost ? 0 : charge.limit.windowMs,
    };
  };
  return {
    spent,
    peek: (charge, cost) => report(charge, cost, false),
    spend(charges, cost): SpendResult {
      const reports = charges.map((charge) => report(charge, cost, false));
      const violated = reports.find((each) => each.retryAfterMs > 0);
      if (violated !== undefined) return { allowed: false, reports, violated };
      const charged = charges.map((charge) => report(charge, cost, true));
      for (const charge of charges) {
        spent.set(charge.bucket, (spent.get(charge.bucket) ?? 0) + cost);
      }
      return { allowed: true, reports: charged };
    },
  };
}

export interface AskedRequest {
  readonly method?: string;
  readonly path?: string;
  readonly host?: string;
  readonly headers?: Record<string, string | readonly string[]>;
  readonly peer?: string;
  readonly ruleName?: string;
}

/** A request as the codec would hand it over under this policy. */
export function inputOf(policy: CompiledPolicy, request: AskedRequest): CheckInput {
  return {
    method: request.method ?? 'GET',
    path: request.path ?? '/',
    host: request.host ?? 'api.example.com',
    scheme: 'http',
    headers: policy.wantedHeaders.map((name) => request.headers?.[name]),
    peerAddress: request.peer ?? '203.0.113.7',
    ruleName: request.ruleName,
    requestKey: undefined,
  };
}

export interface StoryParts {
  readonly policy: CompiledPolicy;
  readonly memory?: PrincipalMemory;
  readonly limits?: LimitMemory;
  readonly fact?: Fact;
  readonly now?: Now;
}

export function tell(parts: StoryParts, request: AskedRequest): Outcome {
  return check(
    {
      input: inputOf(parts.policy, request),
      now: parts.now ?? NOW,
      fact: parts.fact,
      decisionId: 'd-1',
    },
    {
      policy: parts.policy,
      memory: parts.memory ?? { find: () => undefined },
      limits: parts.limits ?? countingLimits(),
    },
  );
}

/** `200`, or the status and reason of a denial: `401 key_unknown`; `need` when memory cannot say. */
export function verdict(outcome: Outcome): string {
  if (outcome.kind === 'need') return 'need';
  const { decision, answer } = outcome;
  if (decision.kind === 'allow' && answer.kind === 'ok') return '200';
  if (decision.kind === 'deny' && answer.kind === 'denied') {
    return `${answer.httpStatus} ${decision.reason}`;
  }
  return 'decision and answer disagree';
}
