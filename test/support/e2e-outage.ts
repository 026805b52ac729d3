import { randomBytes } from 'node:crypto';
import { expect } from 'vitest';
import { DEFAULT_KEY_FORMAT } from '../../src/key-text/key-format.ts';
import { mintKey } from '../../src/key-text/mint.ts';
import type { TestEnvoy } from './envoy.ts';
import type { HttpResponse } from './http-clients.ts';

/** GET with this key, of what a reader may read unless it says otherwise. */
export const ask = (via: TestEnvoy, text: string, path = '/v1/read'): Promise<HttpResponse> =>
  via.request({ path, headers: [['x-api-key', text]] });

export const statusOf = async (via: TestEnvoy, text: string): Promise<number> =>
  (await ask(via, text)).status;

/** Right in form and unknown to all: only Postgres could say. */
export const unknownKey = (): string => mintKey(DEFAULT_KEY_FORMAT, 'live', randomBytes).text;

/** 503 with everything that a client needs to come back; Envoy's own and latchkey's look alike. */
export function expectOutage(response: HttpResponse): void {
  expect(response.status).toBe(503);
  expect(Number(response.header('retry-after'))).toBeGreaterThanOrEqual(1);
  expect(response.header('content-type')).toBe('application/problem+json');
  expect(response.header('cache-control')).toBe('no-store');
  expect(response.json()).toMatchObject({ status: 503, code: 'temporarily_unavailable' });
  expect(response.values('www-authenticate')).toEqual([]);
}
