import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { DENIAL_REASONS } from '../../../src/model/denials.ts';
import { CATALOG, type MetricEntry } from '../../../src/telemetry/catalog.ts';

/*
 * What an operator takes away (alerts, dashboard, the page to read at night) names metrics, labels, reasons and log lines
 * by hand. A name that no latchkey knows would never fire.
 */
const ROOT = join(import.meta.dirname, '../../..');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

const alertSchema = z.object({
  alert: z.string(),
  expr: z.string(),
  for: z.string().optional(),
  labels: z.strictObject({ severity: z.enum(['page', 'ticket']) }),
  annotations: z.strictObject({ summary: z.string(), runbook: z.string() }),
});
const alertsSchema = z.object({
  groups: z.array(z.object({ name: z.string(), rules: z.array(alertSchema) })),
});
const dashboardSchema = z.object({
  panels: z.array(
    z.object({
      title: z.string(),
      type: z.string(),
      targets: z.array(z.object({ expr: z.string() })).default([]),
    }),
  ),
  annotations: z.object({ list: z.array(z.object({ expr: z.string() })) }),
  templating: z.object({ list: z.array(z.object({ query: z.string() })) }),
});

const alerts = alertsSchema
  .parse(parse(read('deploy/prometheus/alerts.yaml')))
  .groups.flatMap(({ rules }) => rules);
const dashboard = dashboardSchema.parse(JSON.parse(read('deploy/grafana/latchkey.json')));
const operations = read('docs/operations.md');

const alertQueries = alerts.map(({ alert, expr }) => [alert, expr] as const);
const panelQueries = [
  ...dashboard.panels.flatMap(({ title, targets }) =>
    targets.map(({ expr }) => [title, expr] as const),
  ),
  ...dashboard.annotations.list.map(({ expr }) => ['annotations', expr] as const),
  ...dashboard.templating.list.map(({ query }) => ['variables', query] as const),
];

const METRIC = /\b(?:latchkey|nodejs|process)_[a-z0-9_]+/g;
const metricsIn = (text: string): string[] => text.match(METRIC) ?? [];

/** By each name under which it is scraped; what the process tells of itself is listed in docs/metrics.md. */
const KNOWN = new Map<string, readonly string[]>([
  ...Object.values(CATALOG).flatMap(namesOf),
  ...[...read('docs/metrics.md').matchAll(/^- `([a-z0-9_]+)`/gm)].map(
    ([, name = '']) => [name, []] as const,
  ),
  ['nodejs_gc_duration_seconds_sum', []],
]);

function namesOf({ name, type, labels }: MetricEntry): [string, readonly string[]][] {
  if (type !== 'histogram') return [[name, labels]];
  return [
    [name, labels],
    [`${name}_bucket`, [...labels, 'le']],
    [`${name}_sum`, labels],
    [`${name}_count`, labels],
  ];
}

/** What Prometheus adds to every series. */
const ADDED_LABELS = ['job', 'instance'];

describe('the queries of alerts and dashboard', () => {
  const queries = [...alertQueries, ...panelQueries];

  it('name metrics that there are', () => {
    expect(queries.length).toBeGreaterThan(50);
    const unknown = queries.filter(([, expr]) => metricsIn(expr).some((name) => !KNOWN.has(name)));
    expect(unknown).toEqual([]);
  });

  it('match labels that these metrics have', () => {
    const unknown = queries.flatMap(([where, expr]) =>
      [...expr.matchAll(/\b([a-z_]+)\{([^}]*)\}/g)].flatMap(([, name = '', matchers = '']) => {
        const allowed = [...(KNOWN.get(name) ?? []), ...ADDED_LABELS];
        const labels = [...matchers.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)].map(([, label]) => label);
        return labels
          .filter((label) => !allowed.includes(label ?? ''))
          .map((l) => [where, name, l]);
      }),
    );
    expect(unknown).toEqual([]);
  });

  it('and the page name reasons that there are', () => {
    const texts = queries.map(([, expr]) => expr).concat(operations);
    const reasons = texts.flatMap((text) =>
      [...text.matchAll(/\breason(?:=~|!=|=)"([^"]+)"/g)].flatMap(([, list = '']) =>
        list.split('|'),
      ),
    );
    const known: readonly string[] = [...DENIAL_REASONS, 'allowed'];
    expect(reasons.length).toBeGreaterThan(3);
    expect(reasons.filter((reason) => !known.includes(reason))).toEqual([]);
  });
});

it('every metric of latchkey is on the dashboard', () => {
  const shown = new Set(panelQueries.flatMap(([, expr]) => metricsIn(expr)));
  const missing = Object.values(CATALOG).filter((entry: MetricEntry) =>
    namesOf(entry).every(([name]) => !shown.has(name)),
  );
  expect(missing.map(({ name }) => name)).toEqual([
    // Told by what happens after it.
    CATALOG.policyReloadTime.name,
    CATALOG.policyReloadFailures.name,
  ]);
});

describe('docs/operations.md', () => {
  const headings = [...operations.matchAll(/^#+ (.+)$/gm)].map(([, title = '']) => title);
  const anchors = headings.map((title) => title.toLowerCase().replaceAll(' ', '-'));

  it('says for each alert what to do, and for no other', () => {
    const told = headings.filter((title) => title.startsWith('Latchkey'));
    expect(told.toSorted()).toEqual(alerts.map(({ alert }) => alert).toSorted());
    for (const { alert, annotations } of alerts) {
      expect(annotations.runbook).toBe(`docs/operations.md#${alert.toLowerCase()}`);
    }
  });

  it('links to headings of its own that there are', () => {
    const links = [...operations.matchAll(/\]\(#([^)]+)\)/g)].map(([, anchor]) => anchor);
    expect(links.length).toBeGreaterThan(5);
    expect(links.filter((anchor) => !anchors.includes(anchor ?? ''))).toEqual([]);
  });

  it('names metrics that there are', () => {
    // The name of a database role looks like one.
    const names = metricsIn(operations).filter((name) => name !== 'latchkey_check');
    expect(names.filter((name) => !KNOWN.has(name))).toEqual([]);
  });

  it('quotes lines of the log as the code writes them', () => {
    const source = sourceFiles('src').map(read).join('\n');
    const table = operations.split('## Lines of the log')[1]?.split('## Alerts')[0] ?? '';
    const quoted = [...table.matchAll(/^\| `([^`]+)` \|/gm)].map(([, message = '']) => message);
    expect(quoted.length).toBeGreaterThan(15);
    expect(quoted.filter((message) => !source.includes(`'${message}'`))).toEqual([]);
  });

  it('names every part of readiness', () => {
    const table = operations.split('| part |')[1]?.split('\n\n')[0] ?? '';
    const told = [...table.matchAll(/^\| `([a-z]+)`.*\|.*\|.*\|.*\|$/gm)].map(([, part]) => part);
    const declared = sourceFiles('src/app').flatMap((file) =>
      [...read(file).matchAll(/lifecycle\.part\('([a-z]+)'\)/g)].map(([, part]) => part),
    );
    expect(told.toSorted()).toEqual(['process', ...declared].toSorted());
  });
});

function sourceFiles(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(folder, name));
}
