import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { CATALOG, type MetricEntry } from '../../../src/telemetry/catalog.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import type { MetricSources } from '../../../src/telemetry/ports.ts';
import { handClock } from './fixtures.ts';

const DOC = readFileSync(new URL('../../../docs/metrics.md', import.meta.url), 'utf8');
const ENTRIES: readonly MetricEntry[] = Object.values(CATALOG);

const bucket = { size: 0, sizeMax: 0, evictedFull: 0, evictedEarly: 0 };
const SOURCES: MetricSources = {
  cache: () => ({
    ...{ credentials: 0, subjects: 0, absences: 0, hits: 0, absenceHits: 0, misses: 0 },
    ...{ staleHits: 0, suspectsServed: 0, evictions: 0 },
  }),
  lookups: () => ({ running: 0, queued: 0, queuedRefreshes: 0, isCircuitOpen: false }),
  follower: () => ({
    ...{ connected: true, position: undefined, lastConfirmedMonoMs: 0, lagVersions: 0 },
    lastAnnouncedMonoMs: 0,
  }),
  limits: () => ({ identity: bucket, address: bucket, failure: bucket }),
  connections: () => 0,
  bounds: { credentialsMax: 0, staleWindowMs: 0, queueMax: 0 },
};

describe('docs/metrics.md', () => {
  it('has one row for each metric of latchkey, word for word, and no other', () => {
    const rows = DOC.split('\n').filter((line) => line.startsWith('| `latchkey_'));
    const expected = ENTRIES.map(
      ({ name, type, labels, help }) =>
        `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(', ') || '–'} | ${help} |`,
    );
    expect(rows).toEqual(expected);
  });

  it('names every metric of the process, and no other', async () => {
    const scraped = await scrapedMetrics();
    const ofProcess = [...scraped.keys()].filter((name) => !name.startsWith('latchkey_'));
    const listed = [...DOC.matchAll(/^- `((?:process|nodejs)_[a-z0-9_]+)`/gm)].map(
      ([, name]) => name,
    );

    expect(listed.toSorted()).toEqual(ofProcess.toSorted());
  });
});

describe('the registry', () => {
  it('holds the metrics of the catalogue with their types and texts, and no other', async () => {
    const scraped = await scrapedMetrics();
    const ours = [...scraped].filter(([name]) => name.startsWith('latchkey_'));

    expect(Object.fromEntries(ours)).toEqual(
      Object.fromEntries(ENTRIES.map(({ name, type, help }) => [name, { type, help }])),
    );
  });

  it('follows the naming rules: base units, and _total for counters alone', () => {
    for (const { name, type } of ENTRIES) {
      expect(name, name).toMatch(/^latchkey_[a-z0-9_]+$/);
      expect(name.endsWith('_total'), name).toBe(type === 'counter');
      expect(name, name).not.toMatch(/_(ms|milliseconds|minutes|kb)(_|$)/);
    }
  });
});

async function scrapedMetrics(): Promise<Map<string, { type: string; help: string }>> {
  const metrics = createMetrics({ version: '1', nodeVersion: 'v26', clock: handClock().clock });
  metrics.readFrom(SOURCES);
  metrics.readParts(() => []);
  metrics.certificateLoaded(0);
  const found = new Map<string, { type: string; help: string }>();
  for (const line of (await metrics.scrape()).body.split('\n')) {
    const [, kind, name = '', text = ''] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? [];
    if (kind === 'HELP') found.set(name, { help: text, type: '' });
    if (kind === 'TYPE') found.set(name, { help: found.get(name)?.help ?? '', type: text });
  }
  return found;
}
