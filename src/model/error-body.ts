import type { Denial } from './decision.ts';
import { denialRow } from './denials.ts';
import { retryAfterSeconds } from './limit-headers.ts';
import type { BodyTemplate, CompiledPolicy, Placeholder } from './policy.ts';

interface Frame {
  readonly policy: CompiledPolicy;
  /** A gRPC client gets the text in `grpc-message`, where JSON would be noise. */
  readonly isGrpc: boolean;
  readonly decisionId: string;
}

type Values = Record<Placeholder, string | number | readonly string[] | null>;

/** What the client reads. Nothing in it comes from the request. */
export function renderBody(denial: Denial, frame: Frame): { text: string; contentType: string } {
  const row = denialRow(denial.reason);
  if (frame.isGrpc) return { text: row.text, contentType: 'text/plain' };
  const values = valuesOf(denial, frame);
  const { errors } = frame.policy;
  if (errors.kind === 'problem') {
    return {
      text: JSON.stringify(problem(denial, values)),
      contentType: 'application/problem+json',
    };
  }
  const template = errors.byReason.get(denial.reason) ?? errors.fallback;
  return { text: JSON.stringify(fill(template, values)), contentType: errors.contentType };
}

/** RFC 9457, with `code` and `decision_id` of our own. */
function problem(denial: Denial, values: Values): Record<string, unknown> {
  const body: Record<string, unknown> = {
    type: 'about:blank',
    title: values.title,
    status: values.status,
    detail: values.detail,
    code: values.code,
    decision_id: values.decision_id,
  };
  if (denial.reason === 'scope_missing') {
    body['required_scopes'] = values.required_scopes;
    body['provided_scopes'] = values.provided_scopes;
  }
  if (denial.reason === 'limit_exceeded') {
    // The problem type of draft-ietf-httpapi-ratelimit-headers: the limits that refused, by name.
    body['type'] = 'https://iana.org/assignments/http-problem-types#quota-exceeded';
    body['violated-policies'] = denial.reports
      .filter((report) => report.retryAfterMs > 0)
      .map((report) => report.limit.name);
  }
  return body;
}

function valuesOf(denial: Denial, { policy, decisionId }: Frame): Values {
  const row = denialRow(denial.reason);
  const scopes = denial.rule?.scopes;
  return {
    status: row.httpStatus,
    code: row.code,
    title: row.title,
    detail: row.text,
    decision_id: decisionId,
    required_scopes: scopes === undefined ? [] : [...scopes.allOf, ...scopes.anyOf],
    provided_scopes:
      denial.principal === undefined ? [] : [...denial.principal.grant.scopes].sort(),
    retry_after_seconds:
      denial.retryAfterMs === undefined ? null : retryAfterSeconds(denial.retryAfterMs),
    realm: policy.realm,
  };
}

function fill(template: BodyTemplate, values: Values): unknown {
  switch (template.kind) {
    case 'literal':
      return template.value;
    case 'placeholder':
      return values[template.name];
    case 'text':
      return template.parts
        .map((part) => (typeof part === 'string' ? part : inText(values[part.name])))
        .join('');
    case 'array':
      return template.items.map((item) => fill(item, values));
    case 'object':
      // fromEntries defines own properties: a field named __proto__ stays a field.
      return Object.fromEntries(
        template.fields.map(([name, value]) => [name, fill(value, values)]),
      );
  }
}

function inText(value: Values[Placeholder]): string {
  if (value === null) return '';
  return typeof value === 'object' ? value.join(' ') : String(value);
}
