import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { checkRequest } from '../support/check-messages.ts';
import { type Stack, startStack } from '../support/e2e-stack.ts';

/* Nothing that a client types becomes a label. The whole process, since any part of it could add one. */

let stack: Stack;

beforeAll(async () => {
  stack = await startStack();
});
afterAll(() => stack?.stop());

it('ten thousand random paths, hosts, methods and keys add no series', async () => {
  const client = stack.addCheckClient();
  const series = async (): Promise<string[]> =>
    (await stack.sidecar.metrics())
      .split('\n')
      // Those of Node itself come with what the process happens to do, such as a kind of garbage collection.
      .filter((line) => line.startsWith('latchkey_'))
      .map((line) => line.slice(0, line.lastIndexOf(' ')));
  const random = (): string => randomBytes(8).toString('hex');
  const kinds: readonly (() => Parameters<typeof checkRequest>[0])[] = [
    () => ({ path: `/${random()}` }),
    () => ({ path: '/v1/read', headers: [['x-api-key', `lk_live_${random()}`]] }),
    () => ({ path: `/v1/items/${random()}`, headers: [['authorization', `Bearer ${random()}`]] }),
    () => ({ path: '/v1/read', headers: [['x-api-key', `odd-${random()}`]] }),
    () => ({ path: '/v1/read', host: `${random()}.example` }),
    () => ({ path: '/v1/read', method: random().toUpperCase() }),
    () => ({ path: `/v1/none/${random()}?${random()}=${random()}` }),
    () => ({ path: '/v1/none/x', rule: random() }),
    () => ({ path: '/v1/optional/x', peer: `10.${randomBytes(3).join('.')}` }),
    () => ({ path: `/v1/none/%zz${random()}` }),
  ];
  const flood = async (requests: number): Promise<void> => {
    const callers = Array.from({ length: 32 }, async (_, caller) => {
      for (let count = caller; count < requests; count += 32) {
        const build = kinds[count % kinds.length];
        if (build !== undefined) await client.check(checkRequest(build()));
      }
    });
    await Promise.all(callers);
  };
  await flood(10 * kinds.length);
  const before = await series();
  await flood(10_000);
  expect((await series()).filter((name) => !before.includes(name))).toEqual([]);
  expect(await stack.sidecar.metric('latchkey_faults_total')).toBe(0);
});
