import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { DEFAULT_KEY_FORMAT } from '../../src/key-text/key-format.ts';
import { mintKey } from '../../src/key-text/mint.ts';
import { type CheckClient, createCheckClient } from '../support/check-client.ts';
import { type AskedCheck, checkRequest, checkResponse } from '../support/check-messages.ts';
import type { TestKey } from '../support/e2e-keys.ts';
import { type Stack, startStack } from '../support/e2e-stack.ts';

/*
 * Row 31: guesses by the hundred thousand, from one address and from all of them, right in form so that each costs a lookup
 * where nothing stops it. Keys in use stay in memory, Postgres is not drowned, memory does not grow with the guesses.
 */

/** How long latchkey believes that a key is not there (src/cache/absences.ts). */
const ABSENCE_TTL_MS = 10_000;
/** Far beyond what ten thousand calls at once take anywhere. */
const DEADLINE_MS = 120_000;

let stack: Stack;
let hot: readonly TestKey[];

/** The budgets that a sidecar has unless told otherwise. On a busy machine a lookup takes its time, which is not the matter here. */
beforeAll(async () => {
  stack = await startStack({
    variables: {
      LATCHKEY_LOOKUP_TIMEOUT: '5s',
      LATCHKEY_MISSES_PER_SECOND: '50',
      LATCHKEY_MISSES_BURST: '200',
      LATCHKEY_DENIAL_LOG_RATE: '20',
    },
  });
  hot = await Promise.all(Array.from({ length: 200 }, () => stack.keys.create()));
  const client = open();
  for (const { text } of hot) await client.status(text);
});
afterAll(() => stack?.stop());

interface Caller {
  /** The HTTP status that Check answers for a request with this key. */
  status(apiKey: string, changes?: AskedCheck): Promise<number>;
}

const clients: CheckClient[] = [];
afterAll(() => {
  for (const client of clients) client.close();
});

function open(): Caller {
  const client = createCheckClient({ path: stack.sidecar.socketPath });
  clients.push(client);
  return {
    async status(apiKey, changes = {}) {
      const headers = [['x-api-key', apiKey]] as const;
      const request = checkRequest({ path: '/v1/read', headers, ...changes });
      const outcome = await client.check(request, { deadlineMs: DEADLINE_MS });
      if (outcome.kind === 'failure') throw new Error(`gRPC ${outcome.code}: ${outcome.details}`);
      const { status, denied_response: denied } = checkResponse(outcome.bytes);
      return status?.code === 0 ? 200 : (denied?.status?.code ?? 0);
    },
  };
}

const guess = (): string => mintKey(DEFAULT_KEY_FORMAT, 'live', randomBytes).text;

/** Resident memory of the sidecar, in bytes. */
async function residentBytes(): Promise<number> {
  const status = await readFile(`/proc/${stack.sidecar.pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
}

/** So many guesses at once, and requests with keys in use among them; gives how often each status came. */
async function flood(guesses: number, peer: () => string) {
  const guessed = new Map<number, number>();
  const used = new Map<number, number>();
  const add = (counts: Map<number, number>, status: number): void =>
    void counts.set(status, (counts.get(status) ?? 0) + 1);
  const callers = Array.from({ length: 64 }, async (_, index) => {
    const client = open();
    for (let count = index; count < guesses; count += 64) {
      add(guessed, await client.status(guess(), { peer: peer() }));
      if (count % 20 !== 0) continue;
      const { text = '' } = hot[count % hot.length] ?? {};
      add(used, await client.status(text, { peer: '192.0.2.1' }));
    }
  });
  await Promise.all(callers);
  return { guessed, used };
}

/** Of keys that are not there: what is in use is read again every now and then. */
const lookups = async (): Promise<number> => {
  const counts = ['absent', 'fenced', 'unavailable'].map((outcome) =>
    stack.sidecar.metric(`latchkey_lookups_total{outcome="${outcome}"}`),
  );
  return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
};

it('guesses from one address: its budget bounds the lookups, and nobody else notices', async () => {
  const before = await lookups();
  const startedMs = performance.now();
  const { guessed, used } = await flood(50_000, () => '203.0.113.9');
  const seconds = (performance.now() - startedMs) / 1000;
  expect([...used.keys()]).toEqual([200]);
  expect([...guessed.keys()].filter((status) => ![401, 503].includes(status))).toEqual([]);
  // The burst, and then what comes back each second.
  expect((await lookups()) - before).toBeLessThan(200 + 50 * (seconds + 1));
});

it('guesses from everywhere: keys in use stay in memory, and memory stays as it is', async () => {
  await flood(20_000, () => `10.${randomBytes(3).join('.')}`);
  const before = await residentBytes();
  const lookupsBefore = await lookups();
  const { guessed, used } = await flood(100_000, () => `10.${randomBytes(3).join('.')}`);
  expect([...used.keys()]).toEqual([200]);
  expect([...guessed.keys()].filter((status) => ![401, 503].includes(status))).toEqual([]);
  expect((await lookups()) - lookupsBefore).toBeGreaterThan(10_000);
  expect(await stack.sidecar.metric('latchkey_cache_evictions_total')).toBe(0);
  expect(await stack.sidecar.metric('latchkey_cache_entries{kind="absence"}')).toBeLessThanOrEqual(
    10_000,
  );
  expect((await residentBytes()) - before).toBeLessThan(64 * 1024 * 1024);
  expect(await stack.sidecar.metric('latchkey_faults_total')).toBe(0);
});

it('one missing key from ten thousand clients at once is one lookup', async () => {
  const missing = guess();
  const before = await lookups();
  const client = open();
  const startedMs = performance.now();
  const statuses = await Promise.all(
    Array.from({ length: 10_000 }, (_, index) =>
      client.status(missing, { peer: `198.51.100.${index % 250}` }),
    ),
  );
  expect(new Set(statuses)).toEqual(new Set([401]));
  // And one more whenever what was learnt has grown old.
  const lifetimes = Math.floor((performance.now() - startedMs) / ABSENCE_TTL_MS);
  expect((await lookups()) - before).toBeLessThanOrEqual(1 + lifetimes);
});
