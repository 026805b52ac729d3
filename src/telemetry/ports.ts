import type { Decision } from '../model/decision.ts';

/** What the runner tells of each decision. Never a credential, never a query string. */
export interface DecisionObserver {
  decided(report: DecisionReport): void;
}

export interface DecisionReport {
  readonly decision: Decision;
  readonly decisionId: string;
  /** From the call's arrival to its answer. */
  readonly durationMs: number;
  /** How often the story ran; 1 is a hit in memory. */
  readonly rounds: number;
  /** Byte strings from the client: to be escaped by whoever writes them. Path without query. */
  readonly method: string;
  readonly host: string;
  readonly path: string;
  readonly clientAddress: string | undefined;
}
