import { type BodyTemplate, PLACEHOLDERS, type Placeholder } from '../model/policy.ts';
import type { Findings } from './findings.ts';
import { didYouMean, type PolicyPath } from './problem.ts';

type TextPart = string | { readonly name: Placeholder };

/** JSON with `{placeholders}` in its texts → what is filled in per denial. `{{` and `}}` are braces. */
export function compileBodyTemplate(
  value: unknown,
  path: PolicyPath,
  findings: Findings,
): BodyTemplate {
  if (typeof value === 'string') return compileText(value, path, findings);
  if (Array.isArray(value)) {
    const items = value.map((item, index) => compileBodyTemplate(item, [...path, index], findings));
    return { kind: 'array', items };
  }
  if (typeof value === 'object' && value !== null) {
    const fields = Object.entries(value).map(
      ([name, item]) => [name, compileBodyTemplate(item, [...path, name], findings)] as const,
    );
    return { kind: 'object', fields };
  }
  if (value === null || typeof value === 'boolean' || Number.isFinite(value)) {
    return { kind: 'literal', value: value as number | boolean | null };
  }
  findings.error(
    path,
    `${String(value)} is no value of JSON; use text, a number, true, false or null.`,
  );
  return { kind: 'literal', value: null };
}

function compileText(text: string, path: PolicyPath, findings: Findings): BodyTemplate {
  const parts: TextPart[] = [];
  for (const token of text.match(/\{\{|\}\}|\{[^{}]*\}|[{}]|[^{}]+/g) ?? []) {
    const part = compileToken(token);
    if (part === undefined) {
      findings.error(path, tokenFault(token));
    } else {
      parts.push(part);
    }
  }
  const [only] = parts;
  if (parts.length === 1 && typeof only === 'object')
    return { kind: 'placeholder', name: only.name };
  const texts = parts.filter((part) => typeof part === 'string');
  if (texts.length === parts.length) return { kind: 'literal', value: texts.join('') };
  return { kind: 'text', parts };
}

function compileToken(token: string): TextPart | undefined {
  if (token === '{{') return '{';
  if (token === '}}') return '}';
  if (!/[{}]/.test(token)) return token;
  const name = token.slice(1, -1);
  const placeholder = PLACEHOLDERS.find((known) => known === name);
  return placeholder === undefined ? undefined : { name: placeholder };
}

function tokenFault(token: string): string {
  if (token === '{' || token === '}') {
    return `a single "${token}"; write "${token}${token}" for the character itself.`;
  }
  return `${token} is no placeholder; there are ${PLACEHOLDERS.join(', ')}.${didYouMean(token.slice(1, -1), PLACEHOLDERS)}`;
}
