import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeAnswer } from '../../src/envoy/encode-answer.ts';
import type { Answer, HeaderLine } from '../../src/model/answer.ts';
import { type CheckProbe, startCheckProbe } from '../support/check-probe.ts';
import { startEnvoy, type TestEnvoy } from '../support/envoy.ts';

let probe: CheckProbe;
let envoy: TestEnvoy;

beforeAll(async () => {
  probe = await startCheckProbe(() => Buffer.from(encodeAnswer(allow())));
  envoy = await startEnvoy({ check: probe.endpoint });
  await envoy.whenHealthy();
});

afterAll(async () => {
  await envoy?.stop();
  probe?.stop();
});

function allow(requestHeaders: readonly HeaderLine[] = []): Answer {
  return {
    kind: 'ok',
    principalHeaders: { lines: [{ name: 'x-principal-id', value: 'usr_1' }], encoded: undefined },
    requestHeaders,
    removeRequestHeaders: ['authorization'],
    removeQueryParameters: ['api_key'],
    responseHeaders: [],
    metadata: [['decision_id', 'd1']],
  };
}

describe('clients', () => {
  it('get through', async () => {
    const r = await envoy.request({ path: '/a?b=2&api_key=1', headers: [['authorization', 'x'], ['x-principal-id', 'evil']] });
    console.log(r);
    const r2 = await envoy.http2Request({ path: '/a?b=2&api_key=1', headers: [['authorization', 'x'], ['x-a', '1'], ['x-a', '2']] });
    console.log(r2);
    const r3 = await envoy.grpcRequest({ headers: [['authorization', 'x'], ['x-a', '1'], ['x-a', '2']] });
    console.log(r3, r3.echo?.headers);
    console.log(await envoy.accessLogLine('/echo.Echo'));
    console.log(probe.requests[0]?.toString('latin1'));
    const t = performance.now();
    for (let i = 0; i < 300; i++) await envoy.request();
    console.log((performance.now() - t) / 300);
    expect(r.status).toBe(200);
  });
});
