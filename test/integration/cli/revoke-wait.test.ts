import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startTestPostgres, type TestPostgres } from '../../support/postgres.ts';
import { until } from '../../support/until.ts';
import { type CommandLine, commandLine, operatorUrl } from './command-line.ts';

let postgres: TestPostgres;
let cli: CommandLine;

beforeAll(async () => {
  postgres = await startTestPostgres();
  cli = await commandLine(postgres);
  await postgres.sql("INSERT INTO latchkey.organizations (id, name) VALUES ('o1', 'acme')");
});

afterAll(() => postgres.close());

beforeEach(async () => {
  await postgres.sql('DELETE FROM latchkey.replicas');
  await postgres.sql('DELETE FROM latchkey.api_keys');
  await postgres.sql(`INSERT INTO latchkey.api_keys (id, name, organization_id, environment)
    VALUES ('k1', 'ci', 'o1', 'live')`);
});

interface Replica {
  readonly epoch?: string;
  readonly version: number;
  readonly silentForS?: number;
}

/** A row as a sidecar's heartbeat writes it. */
const replica = (name: string, { epoch, version, silentForS = 0 }: Replica) =>
  postgres.sql(
    `INSERT INTO latchkey.replicas (id, name, epoch, version, updated_at)
     VALUES ($1, $1, coalesce($2, latchkey.epoch()), $3, now() - make_interval(secs => $4))`,
    [name, epoch ?? null, version, silentForS],
  );

const AHEAD = 1_000_000;
const isRevoked = async () =>
  (await postgres.sql("SELECT 1 FROM latchkey.api_keys WHERE id = 'k1' AND revoked_at IS NOT NULL"))
    .length > 0;

describe('keys revoke --wait', () => {
  it('without a replica there is nothing to wait for', async () => {
    expect(await cli.run('keys revoke k1 --wait')).toEqual({
      code: 0,
      stdout: 'Revoked k1.\nNo replica is running: nothing to wait for.\n',
      stderr: '',
    });
  });

  it('returns when the last replica has confirmed, and says how long it took', async () => {
    await replica('pod-1', { version: AHEAD });
    await replica('pod-2', { version: 0 });
    const revoking = cli.run('keys revoke k1 --wait --timeout 20s');
    await until('the key is revoked', isRevoked);
    await postgres.sql(`UPDATE latchkey.replicas SET version = ${AHEAD}, updated_at = now()`);
    const { code, stdout } = await revoking;
    expect(code).toBe(0);
    expect(stdout).toMatch(/^Revoked k1\.\nConfirmed by 2 replicas after \d+ ms\.\n$/);
  });

  it('names who has not confirmed, and for how long each may still allow', async () => {
    await replica('pod-1', { version: AHEAD });
    await replica('pod-behind', { version: 0, silentForS: 100 });
    await replica('pod-elsewhere', { version: AHEAD, epoch: 'another history' });
    await replica('pod-gone', { version: 0, silentForS: 611 });
    const { code, stdout } = await cli.run('keys revoke k1 --wait --timeout 1s');
    expect(code).toBe(1);
    expect(stdout).toMatch(
      /^Revoked k1\.\nNot confirmed by 2 replicas within \d+ ms \(1 confirmed\):\n/,
    );
    // The default window of ten minutes and its margin, less the silence; how much longer the test took is not known.
    const upTo = [...stdout.matchAll(/^ {2}(\S+) may still act on .* up to (\d+) s$/gm)];
    expect(upTo.map(([, name]) => name).sort()).toEqual(['pod-behind', 'pod-elsewhere']);
    for (const [, name, seconds] of upTo) {
      const most = name === 'pod-behind' ? 510 : 610;
      expect(Number(seconds)).toBeLessThanOrEqual(most);
      expect(Number(seconds)).toBeGreaterThan(most - 60);
    }
    expect(stdout).not.toContain('pod-gone');
    expect(await isRevoked()).toBe(true);
  });

  it('as JSON it is one document, in whole milliseconds; the stale window is the configuration’s', async () => {
    await replica('pod-behind', { version: 0, silentForS: 5 });
    const variables = { LATCHKEY_STALE_WINDOW: '1m' };
    const waited = await cli.json('keys revoke k1 --wait --timeout 0', { variables });
    expect(waited.code).toBe(1);
    expect(waited.document).toMatchObject({
      ...{ id: 'k1', changed: true, revokedAtMs: expect.any(Number) },
      confirmation: { kind: 'unconfirmed', confirmed: 0, missing: [{ name: 'pod-behind' }] },
    });
    const { waitedMs, missing } = waited.document.confirmation;
    for (const ms of [waitedMs, missing[0].mayAllowForMs]) expect(Number.isInteger(ms)).toBe(true);
    expect(missing[0].mayAllowForMs).toBeLessThanOrEqual(65_000);

    // A second time: it is revoked, and waiting is right all the same.
    await postgres.sql(`UPDATE latchkey.replicas SET version = ${AHEAD}`);
    const again = await cli.json('keys revoke k1 --wait');
    expect(again).toMatchObject({
      code: 0,
      document: { changed: false, confirmation: { kind: 'confirmed', replicas: 1 } },
    });
  });

  it('says that the revocation is done when the database is lost while it waits', async () => {
    await replica('pod-behind', { version: 0 });
    const { proxy, url } = await postgres.proxy();
    const variables = { LATCHKEY_DATABASE_URL: operatorUrl(url) };
    const revoking = cli.run('keys revoke k1 --wait --timeout 20s', { variables });
    await until('the key is revoked', isRevoked);
    proxy.setMode('refuse');
    const { code, stdout } = await revoking;
    expect(code).toBe(1);
    expect(stdout).toMatch(
      /^Revoked k1\.\nThe change is done, but the replicas could not be asked/,
    );
  });
});

it('whatever takes rights away can be waited for', async () => {
  await replica('pod-1', { version: AHEAD });
  for (const line of ['keys disable k1 --wait', 'orgs disable acme --wait']) {
    expect((await cli.run(line)).stdout).toMatch(
      /^Disabled .*\nConfirmed by 1 replica after \d+ ms\.\n$/,
    );
  }
});
