import { check, type Decided, type Outcome, type Question, refuseUnread } from '../check.ts';
import { addressText } from '../model/address.ts';
import { clientAddressOf, clientAddressTold } from '../model/client-address.ts';
import type { Clock, Now } from '../model/clock.ts';
import { deny } from '../model/decision.ts';
import type { KeyId } from '../model/ids.ts';
import type { LimitMemory } from '../model/limit-memory.ts';
import type { Fact, Need, PrincipalMemory } from '../model/memory.ts';
import type { CompiledPolicy } from '../model/policy.ts';
import type { CheckInput, DecodedRequest } from '../model/request.ts';
import type { DecisionObserver } from '../telemetry/ports.ts';
import { createRequestDecoder } from './decode-request.ts';
import { encodeAnswer } from './encode-answer.ts';
import type { CheckCall, CheckHandler, CheckReply } from './ports.ts';

export interface RunnerParts {
  readonly policy: () => CompiledPolicy;
  readonly memory: PrincipalMemory;
  readonly limits: LimitMemory;
  /** Fetches the fact that a run lacks; settles by the deadline. It never rejects: an outage is a fact too. */
  readonly resolve: (need: Need, deadlineMonoMs: number) => Promise<Fact>;
  readonly clock: Clock;
  readonly observer: DecisionObserver;
  /** A key was let through: when, and from where. Called for every such request. */
  readonly used: (keyId: KeyId, atMs: number, address: string | null) => void;
  readonly newDecisionId: () => string;
  /** A bug. The client gets `internal_error`; the text of the error goes nowhere near it. */
  readonly onFault: (error: unknown) => void;
}

/** A story needs one fact per credential; more rounds than this would mean that facts do not settle. */
const ROUNDS_MAX = 3;

/** Bytes → story → Need → story → bytes. */
export function createRunner(parts: RunnerParts): CheckHandler {
  const decoders = createDecoderCache();
  return (bytes, call) => {
    const run: Run = {
      parts,
      call,
      started: parts.clock(),
      policy: parts.policy(),
      decisionId: parts.newDecisionId(),
    };
    try {
      const decoded = decoders(run.policy)(bytes);
      if (decoded.kind === 'malformed') return refuseMalformed(run, decoded.cause);
      const outcome = runStory(run, { input: decoded.input, now: run.started, fact: undefined });
      if (outcome.kind === 'decided')
        return finish(run, outcome, { input: decoded.input, rounds: 1 });
      return fetchAndDecide(run, decoded.input, outcome);
    } catch (error) {
      return refuseFault(run, error);
    }
  };
}

interface Run {
  readonly parts: RunnerParts;
  readonly call: CheckCall;
  readonly started: Now;
  /** One run uses one policy, even if a new one comes into force while a fact is fetched. */
  readonly policy: CompiledPolicy;
  readonly decisionId: string;
}

function runStory(run: Run, round: Omit<Question, 'decisionId'>): Outcome {
  const { parts, policy, decisionId } = run;
  return check({ ...round, decisionId }, { policy, memory: parts.memory, limits: parts.limits });
}

async function fetchAndDecide(run: Run, input: CheckInput, first: Need): Promise<CheckReply> {
  try {
    let need = first;
    for (let round = 2; round <= ROUNDS_MAX; round += 1) {
      const fact = await run.parts.resolve(need, run.call.deadlineMonoMs);
      const outcome = runStory(run, { input, now: run.parts.clock(), fact });
      if (outcome.kind === 'decided') return finish(run, outcome, { input, rounds: round });
      need = outcome;
    }
    const denial = deny('store_unavailable', { retryAfterMs: 1000 });
    return finish(run, refuseUnread(denial, asked(run), run.policy), {
      input,
      rounds: ROUNDS_MAX,
    });
  } catch (error) {
    return refuseFault(run, error);
  }
}

function finish(
  run: Run,
  { decision, answer }: Decided,
  { input, rounds }: { readonly input: CheckInput | undefined; readonly rounds: number },
): CheckReply {
  // The transport's answer comes first: a fault in telling about it must not turn an answer into another one.
  const reply =
    decision.kind === 'deny' &&
    decision.reason === 'store_unavailable' &&
    !decision.hidden &&
    run.policy.outage === 'grpc_error'
      ? 'grpc_unavailable'
      : encodeAnswer(answer);
  const mark = input?.path.indexOf('?') ?? -1;
  const { started, parts } = run;
  try {
    const now = parts.clock();
    if (decision.kind === 'allow' && decision.principal !== undefined && input !== undefined) {
      const { keyId } = decision.principal.subject;
      parts.used(keyId, now.wallMs, clientAddressTold(input, run.policy));
    }
    parts.observer.decided({
      decision,
      decisionId: run.decisionId,
      durationMs: now.monoMs - started.monoMs,
      rounds,
      method: input?.method ?? '',
      host: input?.host ?? '',
      path: input === undefined ? '' : mark < 0 ? input.path : input.path.slice(0, mark),
      clientAddress: clientOf(decision.kind === 'deny' ? input : undefined, run.policy),
    });
  } catch (error) {
    run.parts.onFault(error);
  }
  return reply;
}

/** For the log of denials only: an allow does not pay for it. */
function clientOf(input: CheckInput | undefined, policy: CompiledPolicy): string | undefined {
  const address = input && clientAddressOf(input, policy);
  return address && addressText(address);
}

const UNREAD = { input: undefined, rounds: 1 } as const;

function refuseMalformed(run: Run, cause: Extract<DecodedRequest, { kind: 'malformed' }>['cause']) {
  const denial = deny('check_request_malformed', { malformed: cause });
  return finish(run, refuseUnread(denial, asked(run), run.policy), UNREAD);
}

function refuseFault(run: Run, error: unknown): CheckReply {
  run.parts.onFault(error);
  const denial = deny('internal_error', { retryAfterMs: 1000 });
  return finish(run, refuseUnread(denial, asked(run), run.policy), UNREAD);
}

function asked(run: Run): { now: Now; decisionId: string } {
  return { now: run.parts.clock(), decisionId: run.decisionId };
}

/** A decoder is prepared once per policy. */
function createDecoderCache(): (policy: CompiledPolicy) => (bytes: Uint8Array) => DecodedRequest {
  let current: { generation: number; decode: (bytes: Uint8Array) => DecodedRequest } | undefined;
  return (policy) => {
    if (current === undefined || current.generation !== policy.generation) {
      current = {
        generation: policy.generation,
        decode: createRequestDecoder(policy.wantedHeaders),
      };
    }
    return current.decode;
  };
}
