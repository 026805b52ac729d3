import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import { type CheckClient, createCheckClient } from '../../support/check-client.ts';
import { checkResponse } from '../../support/check-messages.ts';
import type { BenchContext } from '../context.ts';
import { FastRandom } from '../load/random.ts';
import type { PartResult } from '../report/part-result.ts';
import { median } from '../report/statistics.ts';
import { short, table } from '../report/table.ts';
import { type LatchkeySubject, startLatchkeySubject } from '../subjects/latchkey.ts';
import { checkOf } from './references.ts';

const SAMPLES = { notify: 30, polling: 12 };
const SAMPLES_QUICK = { notify: 6, polling: 3 };
/** Beyond any poll: whoever is still let in then is let in by mistake. */
const WAIT_MS_MAX = 30_000;
/** Pauses of any length up to a poll's, so that revocations do not fall into step with it. */
const PAUSE_MS_MAX = 2_000;
/** A refusal must stay one. */
const ASKED_AGAIN = 20;

/** From the COMMIT that revokes a key to the first refusal of a client that asks without a pause. */
export async function measureRevocation(context: BenchContext): Promise<PartResult[]> {
  const { options, store, pinning } = context;
  const samples = options.isQuick ? SAMPLES_QUICK : SAMPLES;
  const keys = options.sizes[1];
  const databaseUrl = await store.databaseOf(keys);
  const { proxy, url: listenUrl } = await store.postgres.proxy();
  // Nobody can LISTEN behind this address, as behind a pooler.
  proxy.setMode('refuse');
  const setup = { databaseUrl, keys, prefix: pinning.subject, entry: options.entry };
  const listening = await startLatchkeySubject({ ...setup, name: 'with notifications' });
  const deaf = await startLatchkeySubject({
    ...{ ...setup, name: 'by polling alone' },
    variables: { LATCHKEY_DATABASE_LISTEN_URL: databaseUrlAt(databaseUrl, listenUrl) },
  });
  try {
    const rows = [
      row(listening, await revokeMany(context, listening, samples.notify)),
      row(deaf, await revokeMany(context, deaf, samples.polling)),
    ];
    return [
      {
        section: 'revocation',
        title: 'Revocation, from the commit to the first refusal',
        body: table(['', 'revoked keys', 'median ms', 'longest ms'], rows),
        targets: [],
      },
    ];
  } finally {
    await listening.stop();
    await deaf.stop();
  }
}

/** The database of the one URL at the host and port of the other. */
function databaseUrlAt(databaseUrl: string, otherUrl: string): string {
  const url = new URL(databaseUrl);
  url.host = new URL(otherUrl).host;
  return url.toString();
}

function row({ name }: LatchkeySubject, delaysMs: readonly number[]): string[] {
  const longest = Math.max(...delaysMs);
  return [name, String(delaysMs.length), short(median(delaysMs)), short(longest)];
}

async function revokeMany(
  { store }: BenchContext,
  subject: LatchkeySubject,
  count: number,
): Promise<number[]> {
  const random = new FastRandom(count);
  const range = store.takeCold(count);
  const client = createCheckClient({ path: subject.sidecar.socketPath });
  const database = new Client({ connectionString: await store.databaseOf(subject.keys) });
  await database.connect();
  try {
    const delaysMs: number[] = [];
    for (let index = range.from; index < range.from + count; index += 1) {
      await delay(random.fraction() * PAUSE_MS_MAX);
      const key = { id: store.keyId(index), message: checkOf(store.table.text(index)) };
      delaysMs.push(await revokeOne(database, client, key));
    }
    return delaysMs;
  } finally {
    await database.end();
    client.close();
  }
}

interface KeyAtHand {
  readonly id: string;
  readonly message: Buffer;
}

async function revokeOne(
  database: Client,
  client: CheckClient,
  { id, message }: KeyAtHand,
): Promise<number> {
  if (!(await isAllowed(client, message))) throw new Error(`${id} was refused while it was valid`);
  await database.query('BEGIN');
  const revoke = 'UPDATE latchkey.api_keys SET revoked_at = now() WHERE id = $1';
  const { rowCount } = await database.query(revoke, [id]);
  if (rowCount !== 1) throw new Error(`there is no key ${id} to revoke`);
  const startedMs = performance.now();
  const committed = database.query('COMMIT');
  while (await isAllowed(client, message)) {
    if (performance.now() - startedMs > WAIT_MS_MAX) throw new Error(`${id} is never refused`);
  }
  const delayMs = performance.now() - startedMs;
  await committed;
  for (let again = 0; again < ASKED_AGAIN; again += 1) {
    if (await isAllowed(client, message)) throw new Error(`${id} was let in again`);
  }
  return delayMs;
}

/** @throws Error for an answer that is neither an allow nor the refusal of a revoked key, such as an outage's. */
async function isAllowed(client: CheckClient, message: Buffer): Promise<boolean> {
  const outcome = await client.check(message);
  if (outcome.kind === 'failure') throw new Error(`no answer: ${outcome.details}`);
  const { status, denied_response: denied } = checkResponse(outcome.bytes);
  if (status?.code === undefined || status.code === 0) return true;
  if (denied?.status?.code === 401) return false;
  throw new Error(`an answer with status ${denied?.status?.code}`);
}
