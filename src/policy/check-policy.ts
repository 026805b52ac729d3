import { compilePolicy, type FilePolicy } from './compile.ts';
import type { PolicyProblem } from './problem.ts';

/** What `policy check` tells. `policy` is there if and only if there are no errors. */
export interface PolicyCheck {
  readonly errors: readonly PolicyProblem[];
  readonly warnings: readonly PolicyProblem[];
  readonly policy?: FilePolicy;
}

export function checkPolicyText(text: string): PolicyCheck {
  const result = compilePolicy(text);
  switch (result.kind) {
    case 'compiled':
      return { errors: [], warnings: result.warnings, policy: result.policy };
    case 'rejected':
      return { errors: result.errors, warnings: [] };
  }
}
