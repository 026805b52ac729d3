/** Where in the file, both from 1, as editors count. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** A place in the file's tree: `['routes', 0, 'match', 'path']`. */
export type PolicyPath = readonly (string | number)[];

/** One thing that is wrong with a policy file, or (as a warning) looks wrong. */
export interface PolicyProblem extends Position {
  /** `routes[0].match.path`; empty for the file as a whole. */
  readonly path: string;
  /** What was wrong, and what to do. */
  readonly message: string;
}

/** `12:5 routes[0].match.path: …`. */
export function formatProblem(problem: PolicyProblem): string {
  const where = problem.path === '' ? '' : ` ${problem.path}`;
  return `${problem.line}:${problem.column}${where}: ${problem.message}`;
}

export function formatPath(path: PolicyPath): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else if (!/^[\w-]+$/.test(part)) text += `[${JSON.stringify(part)}]`;
    else text += text === '' ? part : `.${part}`;
  }
  return text;
}

/** More than anybody mends in one go; a file that is no policy at all can have half a million. */
const PROBLEMS_TOLD_MAX = 200;

/** The problems as they are told: in the order of the file, and not without end. */
export function inFileOrder(problems: readonly PolicyProblem[]): readonly PolicyProblem[] {
  const sorted = problems.toSorted((a, b) => a.line - b.line || a.column - b.column);
  const told = sorted.slice(0, PROBLEMS_TOLD_MAX).map((problem) => ({
    ...problem,
    path: shortened(problem.path),
    message: shortened(problem.message),
  }));
  const next = sorted[PROBLEMS_TOLD_MAX];
  if (next === undefined) return told;
  const message = `${sorted.length - told.length} more from here on; mend those above first.`;
  return [...told, { line: next.line, column: next.column, path: '', message }];
}

/** A message is a line of a log; what it quotes of the file may be of any length. */
const TEXT_CHARS_MAX = 600;

function shortened(text: string): string {
  return text.length <= TEXT_CHARS_MAX ? text : `${text.slice(0, TEXT_CHARS_MAX)}…`;
}

/** Names are compared one by one: a longer list is not searched for a likely one. */
const KNOWN_MAX = 200;

/** The one of `known` that `word` was probably meant to be, as a clause; empty when none is near. */
export function didYouMean(word: string, known: readonly string[]): string {
  if (known.length > KNOWN_MAX) return '';
  const near = known.find((candidate) => isNear(word.toLowerCase(), candidate.toLowerCase()));
  return near === undefined ? '' : ` Did you mean ${JSON.stringify(near)}?`;
}

/** At most two insertions, deletions or replacements apart, and not mostly so. */
function isNear(a: string, b: string): boolean {
  const distanceMax = Math.min(2, Math.floor(Math.max(a.length, b.length) / 2));
  if (Math.abs(a.length - b.length) > distanceMax) return false;
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return (row[b.length] ?? 0) <= distanceMax;
}
