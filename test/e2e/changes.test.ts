import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Stack, startStack } from '../support/e2e-stack.ts';
import { startEnvoy, type TestEnvoy } from '../support/envoy.ts';
import { E2E_POLICY, latchkey, type Sidecar, startSidecar } from '../support/sidecar.ts';
import { until } from '../support/until.ts';

/*
 * How soon a change in Postgres, by the command line or by anybody else, is what Envoy does; with two replicas, each behind an
 * Envoy of its own.
 */

/** The promise to operators, where a replica reaches Postgres. */
const CHANGE_MS_MAX = 1_000;
const STALE_WINDOW = '60s';

let stack: Stack;
let other: Sidecar;
let envoys: readonly TestEnvoy[];

beforeAll(async () => {
  const variables = { LATCHKEY_STALE_WINDOW: STALE_WINDOW } as const;
  stack = await startStack({ variables });
  const databaseUrl = stack.postgres.url;
  other = await startSidecar({ databaseUrl, name: 'the-other', variables });
  stack.onStop(() => other.stop());
  const second = await startEnvoy({ check: { socketPath: other.socketPath } });
  stack.onStop(() => second.stop());
  await second.whenHealthy();
  envoys = [await stack.addEnvoy(), second];
});
afterAll(() => stack?.stop());

const run = (args: readonly string[], stdin?: string) =>
  latchkey(
    args,
    {
      LATCHKEY_DATABASE_URL: stack.postgres.url,
      LATCHKEY_POLICY: E2E_POLICY,
      LATCHKEY_STALE_WINDOW: STALE_WINDOW,
    },
    stdin,
  );

const statuses = (text: string, path = '/v1/read'): Promise<number[]> =>
  Promise.all(
    envoys.map(async (envoy) => {
      const response = await envoy.request({ path, headers: [['x-api-key', text]] });
      return response.status;
    }),
  );

/** Resolves when every replica answers so; fails when that takes longer than what is promised. */
const everywhere = (status: number, text: string, path = '/v1/read'): Promise<void> =>
  until(
    `${status} from every replica`,
    async () => (await statuses(text, path)).every((seen) => seen === status),
    CHANGE_MS_MAX,
  );

async function warmKey(): Promise<{ readonly id: string; readonly text: string }> {
  const key = await stack.keys.create();
  expect(await statuses(key.text)).toEqual([200, 200]);
  return key;
}

describe('within a second on every replica', () => {
  it('a key revoked by the command line is refused', async () => {
    const { id, text } = await warmKey();
    expect((await run(['keys', 'revoke', id])).code).toBe(0);
    await everywhere(401, text);
  });

  it.each([
    ['revoked', 'UPDATE latchkey.api_keys SET revoked_at = now() WHERE id = $1', 401],
    ['disabled', 'UPDATE latchkey.api_keys SET disabled_at = now() WHERE id = $1', 401],
    ['expired', 'UPDATE latchkey.api_keys SET expires_at = now() WHERE id = $1', 401],
    ['deleted', 'DELETE FROM latchkey.api_keys WHERE id = $1', 401],
    ['without its scopes', "UPDATE latchkey.api_keys SET scopes = '{}' WHERE id = $1", 403],
    [
      'of another environment',
      "UPDATE latchkey.api_keys SET environment = 'test' WHERE id = $1",
      403,
    ],
  ])('a key %s by SQL is refused', async (_what, statement, status) => {
    const { id, text } = await warmKey();
    await stack.postgres.sql(statement, [id]);
    await everywhere(status, text);
  });

  it('the keys of an organization that is disabled, and of an owner', async () => {
    const owned = await stack.keys.create({ owner: stack.keys.owners.orgAdmin });
    expect(await statuses(owned.text)).toEqual([200, 200]);
    const setOwner = (value: string): Promise<object[]> =>
      stack.postgres.sql(`UPDATE latchkey.users SET disabled_at = ${value} WHERE id = $1`, [
        stack.keys.owners.orgAdmin,
      ]);
    await setOwner('now()');
    await everywhere(401, owned.text);
    await setOwner('NULL');
    await everywhere(200, owned.text);
    const setOrganization = (value: string): Promise<object[]> =>
      stack.postgres.sql(`UPDATE latchkey.organizations SET disabled_at = ${value}`);
    await setOrganization('now()');
    await everywhere(401, owned.text);
    await setOrganization('NULL');
    await everywhere(200, owned.text);
  });

  it('a key that the command line made works', async () => {
    const made = await run([
      'keys',
      'create',
      '--org',
      'acme',
      '--name',
      'ci',
      '--scope',
      'read',
      '--json',
    ]);
    expect(made.code).toBe(0);
    await everywhere(200, JSON.parse(made.stdout).key);
  });

  it('a key works that was tried, and refused, before it was there', async () => {
    const text = 'odd-key-that-comes-later';
    expect(await statuses(text)).toEqual([401, 401]);
    expect(await statuses(text)).toEqual([401, 401]);
    const line = JSON.stringify({ org: 'acme', name: 'late', text, scopes: ['read'] });
    expect((await run(['keys', 'import', '-'], line)).code).toBe(0);
    await everywhere(200, text);
  });

  it('both secrets of a key that rotates work, and the old one alone stops', async () => {
    const { id, text } = await warmKey();
    const rotated = await run(['keys', 'rotate', id, '--overlap', '1h', '--json']);
    const next: string = JSON.parse(rotated.stdout).key;
    await everywhere(200, next);
    expect(await statuses(text)).toEqual([200, 200]);
    const again = await run(['keys', 'rotate', id, '--overlap', '0', '--json']);
    await everywhere(401, next);
    await everywhere(200, JSON.parse(again.stdout).key);
  });

  it('a thousand requests that are under way while a key is revoked: none passes a second later', async () => {
    const { id, text } = await warmKey();
    let isOver = false;
    const seen: { atMs: number; status: number }[] = [];
    const clients = Array.from({ length: 8 }, async (_, index) => {
      const envoy = envoys[index % envoys.length];
      while (!isOver && envoy !== undefined) {
        const atMs = performance.now();
        const { status } = await envoy.request({
          path: '/v1/read',
          headers: [['x-api-key', text]],
        });
        seen.push({ atMs, status });
      }
    });
    await until('requests are under way', () => seen.length > 200);
    await stack.postgres.sql('UPDATE latchkey.api_keys SET revoked_at = now() WHERE id = $1', [id]);
    const revokedMs = performance.now();
    await until(
      'a thousand requests',
      () => seen.length > 1_000 && performance.now() > revokedMs + 1_500,
      30_000,
    );
    isOver = true;
    await Promise.all(clients);
    const late = seen.filter(({ atMs }) => atMs > revokedMs + CHANGE_MS_MAX);
    expect(late.length).toBeGreaterThan(0);
    expect(new Set(late.map(({ status }) => status))).toEqual(new Set([401]));
    // Once refused by a replica, it stays refused there: nothing late puts it back.
    expect(new Set(seen.map(({ status }) => status))).toEqual(new Set([200, 401]));
  });
});

describe('keys revoke --wait', () => {
  it('returns when both replicas have confirmed, and from then on neither lets the key in', async () => {
    const { id, text } = await warmKey();
    const { code, stdout } = await run(['keys', 'revoke', id, '--wait']);
    expect(await statuses(text)).toEqual([401, 401]);
    expect([code, stdout]).toEqual([0, expect.stringMatching(/2 replicas.* \d+ ms/)]);
  });

  it('names a replica that is frozen, says for how long it may allow, and fails', async () => {
    const { id, text } = await warmKey();
    other.signal('SIGSTOP');
    const told = await run(['keys', 'revoke', id, '--wait', '--timeout', '2s']);
    expect(told.code).toBe(1);
    expect(told.stdout).toContain('the-other');
    const seconds = Number(/(\d+) s\b/.exec(told.stdout)?.[1]);
    // The stale window and a margin, since its last heartbeat.
    expect(seconds).toBeGreaterThan(50);
    expect(seconds).toBeLessThanOrEqual(70);

    const asData = await run(['keys', 'revoke', id, '--wait', '--timeout', '1s', '--json']);
    expect(asData.code).toBe(1);
    expect(JSON.parse(asData.stdout)).toMatchObject({
      id,
      changed: false,
      confirmation: { kind: 'unconfirmed', confirmed: 1, missing: [{ name: 'the-other' }] },
    });

    other.signal('SIGCONT');
    // It catches up before it is asked for long: within its next poll.
    await until(
      'the other refuses as well',
      async () => (await statuses(text)).every((s) => s === 401),
      5_000,
    );
    expect((await run(['keys', 'revoke', id, '--wait'])).code).toBe(0);
  });

  it('does not wait for one that has left', async () => {
    const leaving = await startSidecar({ databaseUrl: stack.postgres.url, name: 'leaving' });
    expect((await leaving.stop()).code).toBe(0);
    const { id } = await warmKey();
    const { code, stdout } = await run(['keys', 'revoke', id, '--wait']);
    expect([code, stdout]).toEqual([0, expect.stringContaining('2 replicas')]);
  });
});
