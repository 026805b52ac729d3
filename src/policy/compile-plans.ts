import type { Limit, Plan } from '../model/plan.ts';
import { durationMs } from './durations.ts';
import type { Findings } from './findings.ts';
import type { PolicyPath } from './problem.ts';
import type { PolicyFile } from './schema.ts';

type LimitEntry = PolicyFile['plans'][string]['limits'][number];

/** The plan of requests that pass without a credential where `auth` is optional. */
const ANONYMOUS_PLAN = 'anonymous';

/** Plans by name. Without a plan `default` an empty one takes its place: its keys are not limited. */
export function compilePlans(file: PolicyFile, findings: Findings): ReadonlyMap<string, Plan> {
  const plans = new Map<string, Plan>();
  for (const [name, { limits }] of Object.entries(file.plans)) {
    const seen = new Set<string>();
    const compiled = limits.map((entry, index) => {
      const path = ['plans', name, 'limits', index];
      if (seen.has(entry.name)) {
        const message = `the plan has a limit ${JSON.stringify(entry.name)} already; name each limit differently.`;
        findings.error([...path, 'name'], message);
      }
      seen.add(entry.name);
      if (name === ANONYMOUS_PLAN && entry.per !== 'client_address') {
        const message = `requests without a credential have no ${entry.per}, so this would limit none of them; set per: client_address, or name the plan otherwise if it is for keys.`;
        findings.error([...path, 'per'], message);
      }
      return compileLimit(name, entry, { path, findings });
    });
    plans.set(name, { name, limits: compiled });
  }
  if (!plans.has('default')) {
    plans.set('default', { name: 'default', limits: [] });
    findings.warn(
      ['plans'],
      'there is no plan named "default": keys without a plan of their own have no limits.',
    );
  }
  return plans;
}

interface Place {
  readonly path: PolicyPath;
  readonly findings: Findings;
}

function compileLimit(plan: string, entry: LimitEntry, { path, findings }: Place): Limit {
  if (entry.algorithm === 'fixed_window' && entry.burst !== undefined) {
    const message = 'a fixed window has no burst; remove it, or use algorithm: gcra.';
    findings.error([...path, 'burst'], message);
  }
  return {
    id: `${plan}/${entry.name}`,
    name: entry.name,
    quota: entry.quota,
    windowMs: windowMs(entry.window, { path: [...path, 'window'], findings }),
    burst: entry.burst ?? entry.quota,
    algorithm: entry.algorithm,
    per: entry.per,
  };
}

/** Guessing is slowed down by the address it comes from, apart from every plan. */
export function compileFailedAuthentications(
  entry: PolicyFile['failed_authentications'],
  findings: Findings,
): Limit | null {
  if (entry === 'off') return null;
  const path = ['failed_authentications', 'window'];
  return {
    // No plan's limit can have this id: theirs hold a slash.
    id: 'failed_authentications',
    name: 'failed_authentications',
    quota: entry.quota,
    windowMs: windowMs(entry.window, { path, findings }),
    burst: entry.quota,
    algorithm: 'gcra',
    per: 'client_address',
  };
}

function windowMs(text: string, { path, findings }: Place): number {
  const ms = durationMs(text);
  if (ms === undefined) findings.error(path, `${text} is too long; a window is at most 366d.`);
  return ms ?? 1;
}
