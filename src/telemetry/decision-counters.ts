import type { Counter } from 'prom-client';

/** For decisions that no rule of the policy in force stands behind. */
const NO_RULE = 'none';

interface Child {
  inc(): void;
}

/**
 * Decisions by reason and rule. The children are kept here, since prom-client makes a new one at every `labels()`; they come
 * to be on first use (rules times reasons would be many), and go with their rule.
 */
export class DecisionCounters {
  readonly #counter: Counter;
  #byRule = new Map<string, Map<string, Child>>([[NO_RULE, new Map()]]);

  constructor(counter: Counter) {
    this.#counter = counter;
  }

  count(reason: string, ruleName: string | undefined): void {
    // A request that began under the policy before may name a rule that is gone: it must not bring its series back.
    const rule = ruleName !== undefined && this.#byRule.has(ruleName) ? ruleName : NO_RULE;
    const byReason = this.#byRule.get(rule);
    let child = byReason?.get(reason);
    if (child === undefined) {
      child = this.#counter.labels(reason, rule);
      byReason?.set(reason, child);
    }
    child.inc();
  }

  useRules(names: Iterable<string>): void {
    const next = new Map<string, Map<string, Child>>();
    for (const name of [NO_RULE, ...names]) next.set(name, this.#byRule.get(name) ?? new Map());
    for (const [rule, byReason] of this.#byRule) {
      if (next.has(rule)) continue;
      for (const reason of byReason.keys()) this.#counter.remove(reason, rule);
    }
    this.#byRule = next;
  }
}
