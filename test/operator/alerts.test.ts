import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { promtool } from './support/operator-tools.ts';

const ROOT = join(import.meta.dirname, '../..');
const ALERTS = join(ROOT, 'deploy/prometheus/alerts.yaml');

describe('the alerts', () => {
  it('are rules that Prometheus reads', async () => {
    const { code, output } = await promtool(['check', 'rules', ALERTS]);
    expect(output).toMatch(/SUCCESS: [1-9]\d* rules found/);
    expect(code).toBe(0);
  });

  it('fire when they should, and only then', async () => {
    const { code, output } = await promtool([
      ...['test', 'rules', join(import.meta.dirname, 'alerts.promtool.yaml')],
    ]);
    expect(output).toContain('SUCCESS');
    expect(code, output).toBe(0);
  });
});

describe('the dashboard', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'latchkey-test-dashboard-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  it('asks in a language that Prometheus understands', async () => {
    const text = await readFile(join(ROOT, 'deploy/grafana/latchkey.json'), 'utf8');
    const { panels } = z
      .object({
        panels: z.array(z.object({ targets: z.array(z.object({ expr: z.string() })).default([]) })),
      })
      .parse(JSON.parse(text));
    const rules = panels
      .flatMap(({ targets }) => targets)
      .map(({ expr }, index) => ({
        record: `panel:query:${index}`,
        // What Grafana puts in.
        expr: expr.replaceAll('$__rate_interval', '5m'),
      }));
    expect(rules.length).toBeGreaterThan(30);
    // JSON is YAML.
    const file = join(folder, 'dashboard.yaml');
    await writeFile(file, JSON.stringify({ groups: [{ name: 'dashboard', rules }] }));
    const { code, output } = await promtool(['check', 'rules', file]);
    expect(code, output).toBe(0);
  });
});
