import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ENVOY_VERSION } from '../../src/app/envoy-binary.ts';
import {
  allowing,
  type CheckProbe,
  denying,
  line,
  startCheckProbe,
} from '../support/check-probe.ts';
import { ENVOY_YAML, startEnvoy, type TestEnvoy, validateConfig } from '../support/envoy.ts';

/*
 * What differs between releases of Envoy, or did: the oldest one that the reference configuration promises to run on, and
 * the one that all other tests run. Each is fetched (some 30 MB) where it is not there yet.
 */
describe.each(['1.36.4', ENVOY_VERSION])('envoy.yaml on Envoy %s', (version) => {
  let probe: CheckProbe;
  let envoy: TestEnvoy;

  beforeAll(async () => {
    probe = await startCheckProbe(allowing());
    envoy = await startEnvoy({ check: probe.endpoint, version });
    await envoy.whenHealthy();
  });
  afterAll(async () => {
    await envoy?.stop();
    probe?.stop();
  });

  it('is valid as it stands in the repository', async () => {
    await expect(validateConfig(fileURLToPath(ENVOY_YAML), version)).resolves.toContain('OK');
  });

  it('a client’s own principal never gets through', async () => {
    const headers = [['x-principal-id', 'evil']] as const;
    const set = (await envoy.request({ headers })).echo();
    expect(set.headers.filter(([name]) => name === 'x-principal-id')).toEqual([
      ['x-principal-id', 'usr_1'],
    ]);
    probe.setHandler(allowing({ principalHeaders: [] }));
    expect((await envoy.request({ headers })).body).not.toContain('evil');
  });

  it('the credential does not reach the upstream', async () => {
    probe.setHandler(allowing({ requestHeaders: [line('cookie', 'theme=dark')] }));
    const response = await envoy.request({
      path: '/?api_key=secret',
      headers: [
        ['authorization', 'Bearer secret'],
        ['cookie', 'session=secret; theme=dark'],
      ],
    });
    expect(response.status).toBe(200);
    expect(response.body).toContain('theme=dark');
    expect(response.body).not.toContain('secret');
  });

  it('latchkey’s own denials arrive as they are; its silence is a 503 in their shape', async () => {
    probe.setHandler(denying());
    const denied = await envoy.request();
    expect([denied.status, denied.body]).toEqual([401, '{"code":"mine"}']);
    expect(denied.values('www-authenticate')).toHaveLength(2);
    probe.setHandler(() => Promise.reject(new Error('probe')));
    const failed = await envoy.request();
    expect(failed.status).toBe(503);
    expect(failed.json()).toMatchObject({ code: 'temporarily_unavailable' });
  });

  it('a slow answer is waited for, and asked for once', async () => {
    const before = probe.requests.length;
    probe.setHandler(async (request, metadata) => {
      await new Promise((resolve) => setTimeout(resolve, 600));
      return allowing()(request, metadata);
    });
    expect((await envoy.request()).status).toBe(200);
    expect(probe.requests.length - before).toBe(1);
  });

  it.each(['/a%2fb', '/a%5Cb'])('an encoded separator is refused: %s', async (path) => {
    expect((await envoy.request({ path })).status).toBe(400);
  });
});
