import type { z } from 'zod';
import { didYouMean, type PolicyPath } from './problem.ts';

type Issue = z.core.$ZodIssue;

/** A fault in the shape of the file, before it has a position. */
export interface ShapeFault {
  readonly path: PolicyPath;
  /** Point at the key, not at its value. */
  readonly atKey: boolean;
  readonly message: string;
}

/** What the schema says about `root`, in words that tell what to do. */
export function shapeFaults(issues: readonly Issue[], root: unknown): readonly ShapeFault[] {
  return issues.flatMap((issue) => faultsOf(issue, root));
}

function faultsOf(issue: Issue, root: unknown): readonly ShapeFault[] {
  const path = issue.path.map((part) => (typeof part === 'number' ? part : String(part)));
  const fault = (message: string, atKey = false): ShapeFault[] => [{ path, atKey, message }];
  const value = valueAt(root, path);
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => unknownField(path, key, issue.message));
    case 'invalid_key':
      return fault(`${quoted(path.at(-1))} cannot be used here: ${keyAdvice(issue)}.`, true);
    case 'invalid_union':
      return unionFaults(issue, root);
    case 'invalid_value':
      if (value === undefined) return fault(`is missing; ${oneOf(issue.values)}.`);
      return fault(notOneOf(value, issue.values));
    case 'invalid_type':
      if (value === undefined)
        return fault(`is missing; add it (${adviceOf(issue) ?? EXPECTED[issue.expected]}).`);
      return fault(
        `must be ${EXPECTED[issue.expected]}, not ${kindOf(value)}${hint(adviceOf(issue))}.`,
      );
    case 'too_small':
      if (issue.origin === 'array') return fault('the list is empty; add an entry.');
      return fault(`must be at least ${issue.minimum}.`);
    case 'too_big':
      if (issue.origin === 'array')
        return fault(`the list has more than ${issue.maximum} entries; shorten it.`);
      return fault(`must be at most ${issue.maximum}.`);
    default:
      return fault(`${quoted(value)} is not valid: ${issue.message}.`);
  }
}

const EXPECTED: Readonly<Record<string, string>> = {
  string: 'text',
  int: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a mapping',
  record: 'a mapping',
  nonoptional: 'any value',
};

/** What the schema says about a text's form; other values have no such advice. */
function adviceOf(issue: z.core.$ZodIssueInvalidType): string | undefined {
  return issue.message.startsWith('Invalid input') ? undefined : issue.message;
}

const hint = (advice: string | undefined): string => (advice === undefined ? '' : ` (${advice})`);

function unknownField(path: PolicyPath, key: string, knownFields: string): ShapeFault {
  const near = didYouMean(key, knownFields.split(', '));
  const message = `unknown field.${near || ` The fields here are ${knownFields}.`}`;
  return { path: [...path, key], atKey: true, message };
}

function keyAdvice(issue: z.core.$ZodIssueInvalidKey): string {
  return issue.issues[0]?.message ?? 'choose another name';
}

/** The alternative that was meant is the one that accepts the value's kind; its faults are the ones to tell. */
function unionFaults(issue: z.core.$ZodIssueInvalidUnion, root: unknown): readonly ShapeFault[] {
  const path = issue.path.map((part) => (typeof part === 'number' ? part : String(part)));
  const value = valueAt(root, path);
  const options = 'options' in issue ? issue.options : undefined;
  if (options !== undefined) {
    const message =
      value === undefined ? `is missing; ${oneOf(options)}.` : notOneOf(value, options);
    return [{ path, atKey: false, message }];
  }
  const inner = issue.errors.find((errors) => !errors.some((error) => isWrongKind(error)));
  if (inner !== undefined) {
    const faults = shapeFaults(inner, value);
    return faults.map((fault) => ({ ...fault, path: [...path, ...fault.path] }));
  }
  const kinds = issue.errors.flatMap((errors) => errors.filter(isWrongKind).map(kindWanted));
  const message = `must be ${[...new Set(kinds)].join(' or ')}, not ${kindOf(value)}.`;
  return [{ path, atKey: false, message }];
}

function isWrongKind(issue: Issue): boolean {
  return (
    issue.path.length === 0 && (issue.code === 'invalid_type' || issue.code === 'invalid_value')
  );
}

function kindWanted(issue: Issue): string {
  if (issue.code === 'invalid_value') return issue.values.map(quoted).join(' or ');
  return issue.code === 'invalid_type' ? (EXPECTED[issue.expected] ?? issue.expected) : issue.code;
}

function notOneOf(value: unknown, options: readonly unknown[]): string {
  const hint = typeof value === 'string' ? didYouMean(value, options.map(String)) : '';
  return `${quoted(value)} is not supported here; ${oneOf(options)}.${hint}`;
}

function oneOf(options: readonly unknown[]): string {
  const [only, second] = options;
  return second === undefined
    ? `it must be ${quoted(only)}`
    : `it must be one of ${options.map((option) => String(option)).join(', ')}`;
}

function valueAt(root: unknown, path: PolicyPath): unknown {
  let value = root;
  for (const part of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part))
      return undefined;
    value = Reflect.get(value, part);
  }
  return value;
}

function kindOf(value: unknown): string {
  if (value === null) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a mapping';
  if (typeof value === 'string') return `the text ${quoted(value)}`;
  return `the ${typeof value} ${String(value)}`;
}

/** Long values are cut: a message is one line. */
function quoted(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length <= 80 ? text : `${text.slice(0, 79)}…`;
}
