import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Stack, startStack } from '../support/e2e-stack.ts';
import type { TestEnvoy } from '../support/envoy.ts';
import { checkMetrics } from './support/operator-tools.ts';

describe('a scrape', () => {
  let stack: Stack;
  let envoy: TestEnvoy;

  beforeAll(async () => {
    stack = await startStack();
    envoy = await stack.addEnvoy();
  });
  afterAll(() => stack?.stop());

  it('of a sidecar that has allowed and denied satisfies promtool', async () => {
    const key = await stack.keys.create();
    const bearer = (text: string) => ({ headers: [['authorization', `Bearer ${text}`]] as const });
    const statuses = [];
    for (const request of [
      { path: '/v1/read', ...bearer(key.text) },
      { path: '/v1/read' },
      { path: '/v1/read', ...bearer('lk_live_unknown') },
      { path: '/v1/admin/x', ...bearer(key.text) },
      { path: '/nowhere', ...bearer(key.text) },
      { path: '/v1/write', ...bearer(key.text) },
    ]) {
      statuses.push((await envoy.request(request)).status);
    }
    expect(statuses).toEqual([200, 401, 401, 403, 404, 405]);
    const scrape = await stack.sidecar.metrics();
    expect(scrape).toContain('latchkey_decisions_total{reason="scope_missing",rule="admin"} 1');
    expect(await checkMetrics(scrape)).toEqual({ code: 0, output: '' });
  });

  it('with a fault would not: promtool is asked in earnest', async () => {
    const { code, output } = await checkMetrics('# TYPE a_total gauge\na_total 1\n');
    expect(code).not.toBe(0);
    expect(output).toContain('a_total');
  });
});
