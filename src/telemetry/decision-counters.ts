import type { Sample } from './reading-metrics.ts';

/** For decisions that no rule of the policy in force stands behind. */
const NO_RULE = 'none';

interface Count {
  decisions: number;
}

/**
 * Decisions by reason and rule, read when metrics are collected: prom-client's own counters build a text from their labels
 * each time. Counts come to be on first use (rules times reasons would be many), and go with their rule.
 */
export class DecisionCounters {
  #byRule = new Map<string, Map<string, Count>>([[NO_RULE, new Map()]]);

  count(reason: string, ruleName: string | undefined): void {
    // A request that began under the policy before may name a rule that is gone: it must not bring its series back.
    const rule = ruleName !== undefined && this.#byRule.has(ruleName) ? ruleName : NO_RULE;
    const byReason = this.#byRule.get(rule);
    const count = byReason?.get(reason);
    if (count === undefined) byReason?.set(reason, { decisions: 1 });
    else count.decisions += 1;
  }

  useRules(names: Iterable<string>): void {
    const next = new Map<string, Map<string, Count>>();
    for (const name of [...names, NO_RULE]) next.set(name, this.#byRule.get(name) ?? new Map());
    this.#byRule = next;
  }

  samples(): Sample[] {
    return [...this.#byRule].flatMap(([rule, byReason]) =>
      [...byReason].map(([reason, { decisions }]): Sample => [decisions, reason, rule]),
    );
  }
}
