import type { Decision } from '../../../src/model/decision.ts';
import { deny } from '../../../src/model/decision.ts';
import type { DenialReason } from '../../../src/model/denials.ts';
import type { RouteRule } from '../../../src/model/route-rule.ts';
import type { DecisionReport, Log, LogFields, LogLevel } from '../../../src/telemetry/ports.ts';

export interface LoggedLine {
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: LogFields;
}

/** A log that keeps what it is told. */
export function keptLog(): { readonly log: Log; readonly lines: LoggedLine[] } {
  const lines: LoggedLine[] = [];
  return { lines, log: (level, message, fields = {}) => lines.push({ level, message, fields }) };
}

/** Time that moves when it is told to. */
export function handClock(startMs = 0) {
  let monoMs = startMs;
  return {
    clock: () => ({ wallMs: 1_790_000_000_000 + monoMs, monoMs }),
    advance(byMs: number) {
      monoMs += byMs;
    },
  };
}

export function ruleOf(name: string): RouteRule {
  return {
    name,
    methods: ['GET'],
    auth: 'required',
    hide: false,
    accept: [],
    scopes: { allOf: [], anyOf: [] },
    environments: ['live'],
    organization: undefined,
    cost: 1,
    passCredential: false,
  };
}

export function reportOf(decision: Decision, of: Partial<DecisionReport> = {}): DecisionReport {
  return {
    decision,
    decisionId: 'd-1',
    durationMs: 0.04,
    rounds: 1,
    method: 'GET',
    host: 'api.example.com',
    path: '/v1/scans',
    clientAddress: '192.0.2.1',
    ...of,
  };
}

export function allowed(ruleName: string): Decision {
  const rule = ruleOf(ruleName);
  return { kind: 'allow', rule, principal: undefined, credential: undefined, reports: [] };
}

export function denied(reason: DenialReason, ruleName?: string): Decision {
  return deny(reason, { rule: ruleName === undefined ? undefined : ruleOf(ruleName) });
}
