import { describe, expect, it } from 'vitest';
import { awaitReplicas, HEARTBEAT_MARGIN_MS } from '../../../src/accounts/keys/await-replicas.ts';
import type { ReplicaRecord } from '../../../src/accounts/ports.ts';

const at = { epoch: 'e1', version: 5 };
const staleWindowMs = 60_000;
const goneAfterMs = staleWindowMs + HEARTBEAT_MARGIN_MS;

const replica = (name: string, changes: Partial<ReplicaRecord> = {}): ReplicaRecord => ({
  id: name,
  name,
  at,
  ageMs: 100,
  ...changes,
});

/** Time goes on only while somebody sleeps; `looks` is what each look at the replicas finds, the last one for ever. */
function wait(looks: readonly (readonly ReplicaRecord[])[], timeoutMs = 1000) {
  let monoMs = 7_000;
  let look = 0;
  const replicas = {
    list: async () => looks[Math.min(look++, looks.length - 1)] ?? [],
  };
  const options = {
    ...{ at, staleWindowMs, timeoutMs },
    sleep: async (ms: number) => {
      monoMs += ms + 0.4;
    },
  };
  const accounts = { replicas, clock: () => ({ wallMs: 0, monoMs }) };
  return awaitReplicas(accounts, options, AbortSignal.timeout(10_000));
}

describe('waiting for replicas', () => {
  it('nobody to wait for is a confirmation', async () => {
    expect(await wait([[]])).toEqual({ kind: 'confirmed', replicas: 0, tookMs: 0 });
  });

  it.each([
    ['has applied the change', {}],
    ['has applied a later one', { at: { epoch: 'e1', version: 6 } }],
  ])('a replica that %s has confirmed', async (_, changes) => {
    const confirmed = await wait([[replica('a', changes)]]);
    expect(confirmed).toEqual({ kind: 'confirmed', replicas: 1, tookMs: 0 });
  });

  it.each([
    ['has applied less', { at: { epoch: 'e1', version: 4 } }],
    ['counts versions of another history', { at: { epoch: 'e2', version: 900 } }],
    [
      'was silent for less than the stale window',
      { at: { epoch: 'e1', version: 4 }, ageMs: goneAfterMs - 1 },
    ],
  ])('a replica that %s has not', async (_, changes) => {
    const waited = await wait([[replica('a'), replica('b', changes)]]);
    expect(waited).toMatchObject({ kind: 'unconfirmed', confirmed: 1, missing: [{ name: 'b' }] });
  });

  it('a replica that was silent for longer than the stale window refuses by itself, and is not waited for', async () => {
    const gone = replica('gone', { at: { epoch: 'e1', version: 1 }, ageMs: goneAfterMs });
    expect(await wait([[gone, replica('a')]])).toMatchObject({ kind: 'confirmed', replicas: 1 });
  });

  it('looks again until the last replica has confirmed or left, and says in whole milliseconds how long it took', async () => {
    const late = replica('late', { at: { epoch: 'e1', version: 4 } });
    expect(await wait([[late], [late], [late], [replica('late')]])).toEqual({
      kind: 'confirmed',
      replicas: 1,
      tookMs: 301,
    });
    expect(await wait([[late], []])).toMatchObject({ kind: 'confirmed', replicas: 0 });
  });

  it('says after the timeout who is missing and for how long each may still allow', async () => {
    const late = replica('late', { at: { epoch: 'e1', version: 4 }, ageMs: 1000.5 });
    const waited = await wait([[late, replica('a')]], 250);
    expect(waited).toEqual({
      kind: 'unconfirmed',
      confirmed: 1,
      missing: [{ name: 'late', mayAllowForMs: goneAfterMs - 1000 }],
      waitedMs: 301,
    });
  });

  it('looks once even without time to wait', async () => {
    expect(await wait([[replica('a')]], 0)).toMatchObject({ kind: 'confirmed' });
  });
});
