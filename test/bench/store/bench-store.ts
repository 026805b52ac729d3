import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { digestKey } from '../../../src/key-text/digest.ts';
import { KEY_ID_CHARS } from '../../../src/key-text/key-format.ts';
import { startTestPostgres, type TestPostgres } from '../../support/postgres.ts';
import { KeyTable } from '../load/key-table.ts';
import { KEY_TEXT_CHARS, mintLiveKey } from './key-texts.ts';

/** A range of the key table. */
export interface KeyRange {
  readonly from: number;
  readonly count: number;
}

/** In every database beside its own keys, and never asked for before a measurement is about just that. */
const COLD_KEYS = 6_000;
/** Well-formed keys that no database holds. */
const UNKNOWN_KEYS = 60_000;

const ORGANIZATIONS = 1_000;
const PLANS = 8;
const KEY_START_CHARS = 8 + KEY_ID_CHARS;

/** Memory for an index of a million keys, and none of the test servers' economy with it. */
const POSTGRES_SETTINGS = [
  'shared_buffers=256MB',
  'maintenance_work_mem=256MB',
  'max_wal_size=4GB',
];

/** A real Postgres with a database per number of keys, and the texts of all keys in a file. */
export class BenchStore {
  readonly postgres: TestPostgres;
  readonly keyFile: string;
  readonly table: KeyTable;
  readonly cold: KeyRange;
  readonly unknown: KeyRange;
  readonly #folder: string;
  readonly #urls = new Map<number, string>();
  #coldUsed = 0;
  #unknownUsed = 0;

  private constructor(
    { postgres, folder }: { postgres: TestPostgres; folder: string },
    { keyFile, texts }: { keyFile: string; texts: Buffer },
    keysMax: number,
  ) {
    this.postgres = postgres;
    this.#folder = folder;
    this.keyFile = keyFile;
    this.table = new KeyTable(texts);
    this.cold = { from: keysMax, count: COLD_KEYS };
    this.unknown = { from: keysMax + COLD_KEYS, count: UNKNOWN_KEYS };
  }

  static async start(keysMax: number): Promise<BenchStore> {
    const folder = await mkdtemp(join(tmpdir(), 'latchkey-bench-'));
    // The server, which may run as another user, reads files from here.
    await chmod(folder, 0o755);
    const texts = mintTexts(keysMax + COLD_KEYS + UNKNOWN_KEYS);
    const keyFile = join(folder, 'keys');
    await writeFile(keyFile, texts);
    const postgres = await startTestPostgres({ settings: POSTGRES_SETTINGS });
    return new BenchStore({ postgres, folder }, { keyFile, texts }, keysMax);
  }

  /** The URL of a database with the first so many keys, and the cold ones. */
  async databaseOf(keys: number): Promise<string> {
    const known = this.#urls.get(keys);
    if (known !== undefined) return known;
    const url = await this.postgres.createDatabase(`bench_${keys}`);
    await this.#fill(url, keys);
    this.#urls.set(keys, url);
    return url;
  }

  /** Keys that nobody has asked for yet. @throws RangeError when there are too few left. */
  takeCold(count: number): KeyRange {
    this.#coldUsed += count;
    return takenFrom(this.cold, this.#coldUsed, count);
  }

  takeUnknown(count: number): KeyRange {
    this.#unknownUsed += count;
    return takenFrom(this.unknown, this.#unknownUsed, count);
  }

  keyId(index: number): string {
    return this.table.text(index).slice(KEY_START_CHARS - KEY_ID_CHARS, KEY_START_CHARS);
  }

  async version(): Promise<string> {
    const [row] = await this.postgres.sql<{ server_version: string }>('SHOW server_version');
    return row?.server_version ?? 'unknown';
  }

  async close(): Promise<void> {
    await this.postgres.close();
    await rm(this.#folder, { recursive: true, force: true });
  }

  /**
   * By COPY, and without triggers: those would check each foreign key by itself and log a change that no replica is there to
   * follow. The rows are those that the triggers would have let in.
   */
  async #fill(url: string, keys: number): Promise<void> {
    const keyRows = join(this.#folder, 'api_keys');
    const secretRows = join(this.#folder, 'api_key_secrets');
    await writeRows(this.table, [{ from: 0, count: keys }, this.cold], { keyRows, secretRows });
    await this.postgres.sql(
      `SET session_replication_role = replica;
       INSERT INTO latchkey.organizations (id, name)
         SELECT 'org_' || n, 'Organization ' || n FROM generate_series(0, ${ORGANIZATIONS - 1}) n;
       COPY latchkey.api_keys (id, name, organization_id, environment, scopes, plan) FROM '${keyRows}';
       COPY latchkey.api_key_secrets (key_id, digest, pepper_version, start) FROM '${secretRows}';
       ANALYZE latchkey.api_keys, latchkey.api_key_secrets`,
      [],
      url,
    );
    await Promise.all([rm(keyRows), rm(secretRows)]);
  }
}

function takenFrom(range: KeyRange, used: number, count: number): KeyRange {
  if (used > range.count) throw new RangeError('there are too few keys for this many rounds');
  return { from: range.from + used - count, count };
}

function mintTexts(count: number): Buffer {
  const texts = Buffer.alloc(count * KEY_TEXT_CHARS);
  for (let index = 0; index < count; index += 1) {
    texts.write(mintLiveKey().text, index * KEY_TEXT_CHARS, 'latin1');
  }
  return texts;
}

const ROWS_PER_WRITE = 5_000;

/** In the text format of COPY: a tab between columns, a backslash before a backslash. */
async function writeRows(
  table: KeyTable,
  ranges: readonly KeyRange[],
  { keyRows, secretRows }: { keyRows: string; secretRows: string },
): Promise<void> {
  const [keys, secrets] = [createWriteStream(keyRows), createWriteStream(secretRows)];
  let [keyText, secretText, rows] = ['', '', 0];
  const write = async (): Promise<void> => {
    if (!keys.write(keyText)) await once(keys, 'drain');
    if (!secrets.write(secretText)) await once(secrets, 'drain');
    [keyText, secretText, rows] = ['', '', 0];
  };
  for (const { from, count } of ranges) {
    for (let index = from; index < from + count; index += 1) {
      const text = table.text(index);
      const start = text.slice(0, KEY_START_CHARS);
      const id = start.slice(-KEY_ID_CHARS);
      const digest = Buffer.from(digestKey(text), 'base64url').toString('hex');
      const [organization, plan] = [index % ORGANIZATIONS, index % PLANS];
      keyText += `${id}\tservice ${index}\torg_${organization}\tlive\t{read,write}\tplan_${plan}\n`;
      secretText += `${id}\t\\\\x${digest}\t0\t${start}\n`;
      rows += 1;
      if (rows === ROWS_PER_WRITE) await write();
    }
  }
  await write();
  keys.end();
  secrets.end();
  await Promise.all([once(keys, 'finish'), once(secrets, 'finish')]);
}
