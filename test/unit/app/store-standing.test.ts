import { describe, expect, it } from 'vitest';
import { storeStanding } from '../../../src/app/store-standing.ts';
import { StoreUnavailableError } from '../../../src/model/change.ts';

const MINUTE_MS = 60_000;

function standing(
  silentMs: number | undefined,
  { problem, staleWindowMs = 10 * MINUTE_MS }: { problem?: unknown; staleWindowMs?: number } = {},
) {
  const now = { wallMs: Date.parse('2026-11-23T03:00:00Z'), monoMs: 1_000_000 };
  const lastConfirmedMonoMs = silentMs === undefined ? undefined : now.monoMs - silentMs;
  return storeStanding({ follower: { lastConfirmedMonoMs, problem }, staleWindowMs, now });
}

describe('the standing to the store', () => {
  it.each([
    ['before the first read', undefined, 'not_read'],
    ['within the polls', 1_500, 'followed'],
    ['with one slow answer', 4_900, 'followed'],
    ['without an answer for longer', 5_001, 'silent'],
    ['within the stale window', 10 * MINUTE_MS, 'silent'],
    ['past the stale window', 10 * MINUTE_MS + 1, 'blind'],
  ] as const)('%s', (_, silentMs, kind) => {
    expect(standing(silentMs).kind).toBe(kind);
  });

  it('is blind at once where the stale window is shorter than a few polls', () => {
    expect(standing(2_001, { staleWindowMs: 2_000 }).kind).toBe('blind');
  });

  it('says until when keys work, and what the last read met', () => {
    const problem = new StoreUnavailableError('Postgres did not answer: ECONNREFUSED.');
    expect(standing(MINUTE_MS, { problem })).toEqual({
      kind: 'silent',
      consequence: 'keys in memory work until 2026-11-23T03:09:00.000Z, others get 503',
      cause: expect.stringMatching(/^Postgres did not answer: ECONNREFUSED\. See that the server/),
    });
  });

  it('does not tell the text of an error that it does not know', () => {
    const problem = new Error('lk_live_secret');
    expect(JSON.stringify(standing(MINUTE_MS, { problem }))).not.toContain('lk_live');
  });
});
