import type { Answer, HeaderLine, MetadataField, OkAnswer } from '../model/answer.ts';
import type { Now } from '../model/clock.ts';
import { withoutCookies } from '../model/cookies.ts';
import { type Allow, type Decision, type Denial, deny } from '../model/decision.ts';
import { type DenialRow, denialRow } from '../model/denials.ts';
import { renderBody } from '../model/error-body.ts';
import { limitHeaders, retryAfterSeconds } from '../model/limit-headers.ts';
import type { CompiledPolicy } from '../model/policy.ts';
import type { Principal } from '../model/principal.ts';
import { parametersNamed } from '../model/query.ts';
import { type CheckInput, SLOT } from '../model/request.ts';

interface Asked {
  readonly input: CheckInput;
  readonly now: Now;
  readonly decisionId: string;
}

/** Decision → what Envoy is told. */
export function answer(decision: Decision, asked: Asked, policy: CompiledPolicy): Answer {
  switch (decision.kind) {
    case 'allow':
      return ok(decision, asked, policy);
    case 'deny':
      return denied(decision, asked, policy);
  }
}

function ok(allow: Allow, asked: Asked, policy: CompiledPolicy): OkAnswer {
  const { principal, rule } = allow;
  const requestHeaders = principal === undefined ? [] : ownHeaders(principal, policy);
  const removeRequestHeaders: string[] = [];
  const removeQueryParameters: string[] = [];
  for (const { name, slot } of policy.lookalikeHeaders) {
    if (asked.input.headers[slot] !== undefined) removeRequestHeaders.push(name);
  }
  if (!rule.passCredential) {
    stripCredentials(asked.input, policy, {
      requestHeaders,
      removeRequestHeaders,
      removeQueryParameters,
    });
  }
  return {
    kind: 'ok',
    // Whatever the client sent under a principal's headers: what is not set is removed, and no name is in both lists.
    standing: (principal?.grant ?? policy.anonymous).standing,
    requestHeaders,
    removeRequestHeaders,
    removeQueryParameters,
    responseHeaders: limitHeaders(allow.reports, asked.now, policy.rateLimitReset),
    metadata: metadata(allow, 'allowed', asked),
  };
}

/** Of this one principal; those of its grant stand in the answer already. None is ever empty. */
function ownHeaders({ subject }: Principal, { principalHeaders }: CompiledPolicy): HeaderLine[] {
  return [
    { name: principalHeaders.id, value: subject.ownerId ?? subject.keyId },
    { name: principalHeaders.organization, value: subject.organizationId },
    { name: principalHeaders.credential, value: subject.keyId },
  ];
}

interface Mutations {
  readonly requestHeaders: HeaderLine[];
  readonly removeRequestHeaders: string[];
  readonly removeQueryParameters: string[];
}

/** Every place that the policy names, not only the one that was used: the upstream is to see none of them. */
function stripCredentials(input: CheckInput, policy: CompiledPolicy, into: Mutations): void {
  const cookies: string[] = [];
  for (const credential of policy.credentials) {
    switch (credential.place) {
      case 'bearer':
      case 'basic':
        if (
          input.headers[SLOT.authorization] !== undefined &&
          !into.removeRequestHeaders.includes('authorization')
        ) {
          into.removeRequestHeaders.push('authorization');
        }
        break;
      case 'header':
        if (input.headers[credential.slot] !== undefined) {
          into.removeRequestHeaders.push(credential.header);
        }
        break;
      case 'query':
        into.removeQueryParameters.push(...spellings(input.path, credential.parameter));
        break;
      case 'cookie':
        cookies.push(credential.cookie);
        break;
    }
  }
  stripCookies(input, cookies, into);
}

/** Envoy removes a parameter by its raw spelling, so every spelling that decodes to the name is given. */
function spellings(path: string, parameter: string): readonly string[] {
  const mark = path.indexOf('?');
  if (mark < 0) return [];
  const named = parametersNamed(path.slice(mark + 1), parameter);
  return [...new Set(named.map(({ rawName }) => rawName))];
}

/** Envoy cannot remove one cookie: the whole header is written again without it. */
function stripCookies(input: CheckInput, names: readonly string[], into: Mutations): void {
  const slot = input.headers[SLOT.cookie];
  if (slot === undefined || names.length === 0) return;
  const rest = withoutCookies(slot, names);
  if (rest === undefined) return;
  if (rest === '') into.removeRequestHeaders.push('cookie');
  else into.requestHeaders.push({ name: 'cookie', value: rest });
}

function denied(denial: Denial, asked: Asked, policy: CompiledPolicy): Answer {
  // Hidden: the very answer of an unmatched path, so nothing below may look at anything but this row.
  const shown: Denial = denial.hidden ? HIDDEN : denial;
  const row = denialRow(shown.reason);
  const contentType = asked.input.headers[SLOT.contentType];
  const isGrpc = typeof contentType === 'string' && contentType.startsWith('application/grpc');
  const body = renderBody(shown, { policy, isGrpc, decisionId: asked.decisionId });
  const headers: HeaderLine[] = [
    { name: 'content-type', value: body.contentType },
    { name: 'cache-control', value: 'no-store' },
  ];
  // Envoy derives `grpc-status` from the HTTP status, but 14 for a 429, which clients retry at once; ours goes first.
  if (isGrpc) headers.push({ name: 'grpc-status', value: String(row.grpcCode) });
  if (shown.allow !== undefined) headers.push({ name: 'allow', value: shown.allow });
  if (shown.retryAfterMs !== undefined) {
    headers.push({ name: 'retry-after', value: String(retryAfterSeconds(shown.retryAfterMs)) });
  }
  headers.push(...challenges(row, shown, policy));
  headers.push(...limitHeaders(shown.reports, asked.now, policy.rateLimitReset));
  return {
    kind: 'denied',
    code: row.grpcCode,
    httpStatus: row.httpStatus,
    headers,
    body: body.text,
    metadata: metadata(denial, denial.reason, asked),
    asError: shown.reason === 'store_unavailable' && policy.outage === 'error_response',
  };
}

const HIDDEN: Denial = deny('route_not_found');

/** One line per accepted scheme (RFC 9110 §11.6.1); only Bearer has an `error` (RFC 6750 §3). */
function challenges(row: DenialRow, denial: Denial, policy: CompiledPolicy): HeaderLine[] {
  const { challengeError } = row;
  if (challengeError === undefined) return [];
  const accepted = denial.rule?.accept ?? policy.credentials;
  return accepted
    .filter(
      (credential) => challengeError !== 'insufficient_scope' || credential.place === 'bearer',
    )
    .map((credential) => {
      const error =
        challengeError !== null && credential.place === 'bearer'
          ? `, error="${challengeError}"${neededScope(challengeError, denial)}`
          : '';
      return { name: 'www-authenticate', value: `${credential.challenge}${error}` };
    });
}

function neededScope(error: string, { rule }: Denial): string {
  if (error !== 'insufficient_scope' || rule === undefined) return '';
  return `, scope="${[...rule.scopes.allOf, ...rule.scopes.anyOf].join(' ')}"`;
}

function metadata(decision: Decision, reason: string, asked: Asked): MetadataField[] {
  const { rule, principal } = decision;
  const fields: MetadataField[] = [
    ['decision_id', asked.decisionId],
    ['reason', reason],
  ];
  if (rule !== undefined) fields.push(['rule', rule.name]);
  const subject = decision.kind === 'deny' ? decision.subject : principal?.subject;
  if (subject === undefined) return fields;
  fields.push(
    ['principal', subject.ownerId ?? subject.keyId],
    ['credential', subject.keyId],
    ['organization', subject.organizationId],
  );
  // An allow has the plan in what stands.
  if (decision.kind === 'deny' && principal !== undefined) {
    fields.push(['plan', principal.grant.plan.name]);
  }
  return fields;
}
