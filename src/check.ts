import { answer } from './check/answer.ts';
import { type Authentication, authenticate } from './check/authenticate.ts';
import { authorize } from './check/authorize.ts';
import { extract } from './check/extract.ts';
import { match } from './check/match.ts';
import { type RequestView, read } from './check/read.ts';
import { areFailuresExhausted, failureCharge, spend } from './check/spend.ts';
import type { Answer } from './model/answer.ts';
import { clientBucketOf } from './model/client-address.ts';
import type { Now } from './model/clock.ts';
import type { NamedCredential } from './model/credential.ts';
import { type Decision, type Denial, deny } from './model/decision.ts';
import type { DenialReason } from './model/denials.ts';
import type { LimitMemory } from './model/limit-memory.ts';
import type { Fact, Need, PrincipalMemory, UnavailableCause } from './model/memory.ts';
import type { CompiledPolicy } from './model/policy.ts';
import type { Principal } from './model/principal.ts';
import type { CheckInput } from './model/request.ts';
import type { RouteRule } from './model/route-rule.ts';
import type { Subject } from './model/subject.ts';

/** Everything a decision may look at. One run sees one policy. */
export interface World {
  readonly policy: CompiledPolicy;
  readonly memory: PrincipalMemory;
  readonly limits: LimitMemory;
}

export interface Question {
  readonly input: CheckInput;
  readonly now: Now;
  /** What fetching the Need of the run before gave. */
  readonly fact: Fact | undefined;
  /** Names this decision in log, metadata and body. */
  readonly decisionId: string;
}

export type Outcome = Decided | Need;

export interface Decided {
  readonly kind: 'decided';
  readonly decision: Decision;
  readonly answer: Answer;
}

/**
 * The story of a request. Synchronous and without I/O: it decides from memory, or names the one fact that memory lacks.
 * Nothing is changed before the last step, so a run that ends in a Need can be repeated.
 */
export function check(question: Question, world: World): Outcome {
  const request = read(question.input);
  const decision =
    request.kind === 'refused' ? deny(request.reason) : decide(request, question, world);
  if (decision.kind === 'need') return decision;
  return { kind: 'decided', decision, answer: answer(decision, question, world.policy) };
}

/**
 * The answer where there is no request to speak of: bytes that are no CheckRequest, or a fault of our own. A denial in any
 * case, since a client may be able to provoke either.
 */
export function refuseUnread(
  denial: Denial,
  asked: { readonly now: Now; readonly decisionId: string },
  policy: CompiledPolicy,
): Decided {
  const input: CheckInput = UNREAD_INPUT;
  return { kind: 'decided', decision: denial, answer: answer(denial, { ...asked, input }, policy) };
}

const UNREAD_INPUT: CheckInput = {
  method: '',
  path: '',
  host: '',
  scheme: '',
  headers: [],
  peerAddress: undefined,
  ruleName: undefined,
  requestKey: undefined,
};

function decide(request: RequestView, question: Question, world: World): Decision | Need {
  const { input } = request;
  const { policy } = world;
  const found = match(
    {
      method: input.method,
      host: request.host,
      segments: request.segments,
      ruleName: input.ruleName,
    },
    policy,
  );
  if (found.kind === 'refused') {
    return deny(found.reason, { allow: found.allow, hidden: found.hidden });
  }
  const { rule } = found;
  const story = { request, question, world, rule };
  if (rule.auth === 'none') return allow(story, ANONYMOUS, []);

  const extraction = extract({ input, query: request.query }, rule, policy);
  const isOptional = rule.auth === 'optional';
  if (extraction.kind === 'absent') {
    return isOptional ? charge(story, ANONYMOUS) : refuse(story, 'credential_missing');
  }
  if (extraction.kind === 'refused') {
    if (isOptional && extraction.byCookie) return charge(story, ANONYMOUS);
    return refuse(story, extraction.reason);
  }

  const { credential, text } = extraction;
  const authentication = authenticate(
    { credential, text, input, rule },
    { policy, memory: world.memory, now: question.now, fact: question.fact },
  );
  switch (authentication.kind) {
    case 'unknown':
      return missingFact(story, credential, authentication);
    case 'unavailable':
      return refuse(story, UNAVAILABLE_REASON[authentication.cause], {
        retryAfterMs: authentication.retryAfterMs,
      });
    case 'invalid':
      if (isOptional && credential.place === 'cookie') return charge(story, ANONYMOUS);
      return failed(story, authentication);
    case 'forbidden':
      return refuse(story, authentication.reason, { principal: authentication.principal });
    case 'principal': {
      const { principal } = authentication;
      const reason = authorize(rule, principal, request);
      return reason === undefined
        ? charge(story, { principal, credential })
        : refuse(story, reason, { principal });
    }
  }
}

interface Story {
  readonly request: RequestView;
  readonly question: Question;
  readonly world: World;
  readonly rule: RouteRule;
}

/** As whom a request passes. */
interface Who {
  readonly principal: Principal | undefined;
  readonly credential: NamedCredential | undefined;
}

const ANONYMOUS: Who = { principal: undefined, credential: undefined };

const UNAVAILABLE_REASON: Record<UnavailableCause, DenialReason> = {
  store: 'store_unavailable',
  overload: 'lookups_overloaded',
  client_budget: 'client_lookups_exceeded',
  failures: 'too_many_failures',
};

/** Only an authorized request draws from the limits, and only a principal who may be here learns of them. */
function charge(story: Story, who: Who): Decision {
  const { request, question, world, rule } = story;
  const { principal } = who;
  const spent = spend(
    {
      rule,
      principal,
      policy: world.policy,
      clientBucket: () => clientBucketOf(request.input, world.policy),
      requestKey: request.input.requestKey,
    },
    world.limits,
    question.now,
  );
  if (spent.allowed) return allow(story, who, spent.reports);
  return deny('limit_exceeded', {
    rule,
    principal,
    reports: spent.reports,
    retryAfterMs: spent.violated.retryAfterMs,
    hidden: rule.hide && principal === undefined,
  });
}

/** The one place where an allow is made. */
function allow({ rule }: Story, who: Who, reports: Decision['reports']): Decision {
  return { kind: 'allow', rule, principal: who.principal, credential: who.credential, reports };
}

function refuse(
  { rule }: Story,
  reason: DenialReason,
  details: { principal?: Principal; subject?: Subject | undefined; retryAfterMs?: number } = {},
): Decision {
  return deny(reason, { rule, hidden: rule.hide, ...details });
}

/** A guess is counted by client address; an address that has guessed too often learns nothing more for a while. */
function failed(
  story: Story,
  { reason, subject }: Extract<Authentication, { kind: 'invalid' }>,
): Decision {
  const { question, world } = story;
  const failure = failureOf(story);
  if (failure === undefined) return refuse(story, reason, { subject });
  const spent = world.limits.spend([failure], 1, question.now, story.request.input.requestKey);
  if (spent.allowed) return refuse(story, reason, { subject });
  return refuse(story, 'too_many_failures', {
    subject,
    retryAfterMs: spent.violated.retryAfterMs,
  });
}

/**
 * The lookup of an address without failures left is marked, and goes slowly. It is not refused: behind one address there
 * may be many clients, and one of them with a dead key must not lock out the keys that memory happens not to hold.
 */
function missingFact(
  story: Story,
  credential: NamedCredential,
  { digest }: Extract<Authentication, { kind: 'unknown' }>,
): Need {
  const { question, world } = story;
  const failure = failureOf(story);
  return {
    kind: 'need',
    credentialKind: credential.kind,
    digest,
    clientBucket: guessBucket(story),
    isAfterFailures:
      failure !== undefined && areFailuresExhausted(failure, world.limits, question.now),
  };
}

function failureOf(story: Story) {
  const limit = story.world.policy.failedAuthentications;
  return limit === null ? undefined : failureCharge(limit, guessBucket(story));
}

/**
 * Whose guesses are counted together: those of one client address. At hidden routes they are counted apart, or bad keys sent to
 * a path that may be hidden would show in the answers of another path, and so would the hidden one.
 */
function guessBucket({ request, world, rule }: Story): string {
  const bucket = clientBucketOf(request.input, world.policy);
  return rule.hide ? `hidden|${bucket}` : bucket;
}
