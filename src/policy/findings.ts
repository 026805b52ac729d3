import { formatPath, type PolicyPath, type PolicyProblem } from './problem.ts';
import type { YamlTree } from './yaml-tree.ts';

/** Collects what compiling finds, so that one fault does not end the search for others. */
export interface Findings {
  /** At the value at `path`. */
  readonly error: (path: PolicyPath, message: string) => void;
  readonly warn: (path: PolicyPath, message: string) => void;
  readonly line: (path: PolicyPath) => number;
  readonly errors: readonly PolicyProblem[];
  readonly warnings: readonly PolicyProblem[];
}

export function createFindings(tree: YamlTree, found: readonly PolicyProblem[]): Findings {
  const errors = [...found];
  const warnings: PolicyProblem[] = [];
  const problem = (path: PolicyPath, message: string): PolicyProblem => ({
    ...tree.valuePosition(path),
    path: formatPath(path),
    message,
  });
  return {
    error: (path, message) => errors.push(problem(path, message)),
    warn: (path, message) => warnings.push(problem(path, message)),
    line: (path) => tree.keyPosition(path).line,
    errors,
    warnings,
  };
}
