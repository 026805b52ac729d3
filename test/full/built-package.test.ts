import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createCheckClient } from '../support/check-client.ts';
import { checkRequest, checkResponse } from '../support/check-messages.ts';
import { createTestKeys, type TestKeys } from '../support/e2e-keys.ts';
import { startTestPostgres, type TestPostgres } from '../support/postgres.ts';
import { startSidecar } from '../support/sidecar.ts';

/* What `npm run build` makes, and the npm package carries, is the program that all other tests run from its sources. */

const BUILD_TIMEOUT_MS = 120_000;

let postgres: TestPostgres;
let keys: TestKeys;

beforeAll(async () => {
  const root = fileURLToPath(new URL('../../', import.meta.url));
  await promisify(execFile)('npm', ['run', 'build'], { cwd: root, timeout: BUILD_TIMEOUT_MS });
  postgres = await startTestPostgres();
  keys = await createTestKeys(postgres);
});
afterAll(() => postgres?.close());

it('dist/main.js serves, decides and stops', async () => {
  const key = await keys.create();
  const sidecar = await startSidecar({ databaseUrl: postgres.url, entry: 'dist' });
  const client = createCheckClient({ path: sidecar.socketPath });
  const codeOf = async (text: string): Promise<number | undefined> => {
    const headers = [['x-api-key', text]] as const;
    const outcome = await client.check(checkRequest({ path: '/v1/read', headers }));
    if (outcome.kind === 'failure') throw new Error(outcome.details);
    return checkResponse(outcome.bytes).status?.code;
  };
  expect(await codeOf(key.text)).toBe(0);
  expect(await codeOf(`${key.text}x`)).toBe(16);
  client.close();
  expect(await sidecar.stop()).toEqual({ code: 0, signal: null });
});
