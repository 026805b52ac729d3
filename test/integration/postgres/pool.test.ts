import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { StoreUnavailableError } from '../../../src/model/change.ts';
import { createChangeHints } from '../../../src/postgres/change-hints.ts';
import { StoreFaultError } from '../../../src/postgres/errors.ts';
import { createKeyStore } from '../../../src/postgres/key-store.ts';
import type { Database, DatabaseOptions } from '../../../src/postgres/pool.ts';
import { digestOf } from '../../support/accounts.ts';
import { changeUrl, startTestPostgres, type TestPostgres } from '../../support/postgres.ts';
import { until } from '../../support/until.ts';

const signal = AbortSignal.timeout(120_000);
const ONE = { name: 'one', text: 'SELECT 1 AS one' };
const PID = { name: 'pid', text: 'SELECT pg_backend_pid() AS pid' };
const SLEEP = { name: 'sleep', text: 'SELECT pg_sleep($1)' };

let postgres: TestPostgres;

beforeAll(async () => {
  postgres = await startTestPostgres();
});

afterAll(() => postgres.close());

async function withDatabase<T>(
  options: Partial<DatabaseOptions>,
  work: (database: Database) => Promise<T>,
): Promise<T> {
  const database = postgres.database(options);
  try {
    return await work(database);
  } finally {
    await database.close();
  }
}

/** How a query on this database ends, and after how many milliseconds. */
async function outcome(query: Promise<unknown>): Promise<{ error: unknown; afterMs: number }> {
  const startedMs = performance.now();
  const error = await query.then(
    () => 'no error',
    (rejected: unknown) => rejected,
  );
  return { error, afterMs: performance.now() - startedMs };
}

describe('an outage is a StoreUnavailableError with its cause, and no answer', () => {
  const unavailable: [string, () => Promise<string> | string][] = [
    ['nobody listens on the port', () => changeUrl(postgres.url, { port: 1 })],
    ['no such host', () => changeUrl(postgres.url, { host: 'no-such-host.invalid' })],
    ['a wrong password', () => changeUrl(postgres.url, { password: 'wrong' })],
    ['no such user', () => changeUrl(postgres.url, { user: 'nobody' })],
    ['no such database', () => changeUrl(postgres.url, { database: 'nowhere' })],
    ['a socket folder without a server', () => 'postgres://u@/d?host=/nonexistent'],
    [
      'no connection left for the user',
      async () => {
        const url = await postgres.createLogin('crowded');
        await postgres.sql('ALTER ROLE crowded CONNECTION LIMIT 0');
        return url;
      },
    ],
    [
      'a connection that is reset',
      async () => {
        const { proxy, url } = await postgres.proxy();
        proxy.setMode('refuse');
        return url;
      },
    ],
    [
      'a server that takes no writes',
      async () => {
        const url = await postgres.createLogin('reader');
        await postgres.sql('ALTER ROLE reader SET default_transaction_read_only = on');
        return url;
      },
    ],
  ];
  it.each(unavailable)('%s', async (_, urlOf) => {
    const url = await urlOf();
    await withDatabase({ url }, async (database) => {
      const { error } = await outcome(database.query(ONE, [], signal));
      expect(error).toBeInstanceOf(StoreUnavailableError);
      expect(String(error)).not.toContain(new URL(postgres.url).password);
    });
  });

  it('a server that accepts and never speaks, within the time to connect', async () => {
    const { proxy, url } = await postgres.proxy();
    proxy.setMode('blackhole');
    await withDatabase({ url, connectTimeoutMs: 200 }, async (database) => {
      const { error, afterMs } = await outcome(database.query(ONE, [], signal));
      expect(error).toBeInstanceOf(StoreUnavailableError);
      expect(afterMs).toBeLessThan(2_000);
    });
  });
});

describe('a refused statement is neither an outage nor an answer', () => {
  it('and leaves its connection in use', async () => {
    await withDatabase({ connectionsMax: 1 }, async (database) => {
      const pid = { name: 'pid', text: 'SELECT pg_backend_pid() AS pid' };
      const before = await database.query(pid, [], signal);
      const wrong = { name: 'wrong', text: 'SELECT * FROM latchkey.no_such_table' };
      const { error } = await outcome(database.query(wrong, [], signal));
      expect(error).toBeInstanceOf(StoreFaultError);
      expect(error).toMatchObject({ sqlState: '42P01' });
      expect(await database.query(pid, [], signal)).toEqual(before);
    });
  });

  it('a lookup in a database without a schema is never "absent"', async () => {
    await postgres.sql('CREATE DATABASE bare');
    await withDatabase({ url: changeUrl(postgres.url, { database: 'bare' }) }, async (database) => {
      const lookup = createKeyStore(database, () => {}).findKey([digestOf('x')], signal);
      await expect(lookup).rejects.toBeInstanceOf(StoreFaultError);
    });
  });

  it('a lookup beside an empty change counter is never "absent"', async () => {
    const url = await postgres.createDatabase('uncounted');
    await postgres.sql('DELETE FROM latchkey.change_version', [], url);
    await withDatabase({ url }, async (database) => {
      const lookup = createKeyStore(database, () => {}).findKey([digestOf('x')], signal);
      await expect(lookup).rejects.toBeInstanceOf(StoreFaultError);
    });
  });
});

describe('giving up frees the connection', () => {
  it('an aborted query in a black hole: the next one gets through at once', async () => {
    const { proxy, url } = await postgres.proxy();
    await withDatabase({ url, connectionsMax: 2 }, async (database) => {
      await Promise.all([database.query(ONE, [], signal), database.query(ONE, [], signal)]);
      proxy.setMode('blackhole');
      const giveUp = new AbortController();
      const stuck = [1, 2].map(() => outcome(database.query(ONE, [], giveUp.signal)));
      await until('both queries are on their way', () => proxy.swallowed() === 2);
      expect(database.connections()).toBe(2);
      giveUp.abort();
      for (const { error } of await Promise.all(stuck))
        expect(error).toBeInstanceOf(StoreUnavailableError);
      expect(database.connections()).toBe(0);
      proxy.setMode('pass');
      expect(await database.query(ONE, [], signal)).toEqual([{ one: 1 }]);
    });
  });

  it('so does the time limit, and the server ends the statement as well', async () => {
    await withDatabase({ queryTimeoutMs: 200, applicationName: 'slow' }, async (database) => {
      const { error, afterMs } = await outcome(database.query(SLEEP, [30], signal));
      expect(error).toBeInstanceOf(StoreUnavailableError);
      expect(afterMs).toBeLessThan(3_000);
      expect(await database.query(ONE, [], signal)).toEqual([{ one: 1 }]);
      await until('the sleep is over', async () => {
        const running = await postgres.sql(
          "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active'",
        );
        return running.length === 0;
      });
    });
  });

  it('an aborted wait for a connection leaves the others in line their turn', async () => {
    await withDatabase({ connectionsMax: 1 }, async (database) => {
      const slow = database.query(SLEEP, [0.3], signal);
      const giveUp = new AbortController();
      const abandoned = outcome(database.query(ONE, [], giveUp.signal));
      const patient = database.query(ONE, [], signal);
      giveUp.abort();
      const first = Promise.race([abandoned.then(() => 'abandoned'), slow.then(() => 'slow')]);
      expect(await first).toBe('abandoned');
      expect((await abandoned).error).toBeInstanceOf(StoreUnavailableError);
      expect(await patient).toEqual([{ one: 1 }]);
      await slow;
    });
  });

  it('a pool whose connections are all busy is an outage after the time to connect', async () => {
    await withDatabase({ connectionsMax: 1, connectTimeoutMs: 150 }, async (database) => {
      const slow = database.query(SLEEP, [0.6], signal);
      const { error } = await outcome(database.query(ONE, [], signal));
      expect(error).toBeInstanceOf(StoreUnavailableError);
      await slow;
    });
  });

  it('an abort in the middle of a transaction commits nothing', async () => {
    // What the server is doing when its client goes away it does to its end, which the time limit sets.
    await withDatabase({ queryTimeoutMs: 500 }, async (database) => {
      const giveUp = new AbortController();
      const insert = {
        name: 'insert',
        text: "INSERT INTO latchkey.organizations (id, name) VALUES ('half', 'Half')",
      };
      const writing = database.transaction(async (session) => {
        await session.query(insert, []);
        giveUp.abort();
        return session.query(SLEEP, [30]);
      }, giveUp.signal);
      await expect(writing).rejects.toBeInstanceOf(StoreUnavailableError);
      await until(
        'rolled back',
        async () =>
          (
            await postgres.sql(
              "SELECT 1 FROM pg_stat_activity WHERE state = 'idle in transaction' OR query LIKE 'SELECT pg_sleep%' AND state = 'active'",
            )
          ).length === 0,
      );
      expect(await postgres.sql("SELECT 1 FROM latchkey.organizations WHERE id = 'half'")).toEqual(
        [],
      );
    });
  });

  it('a transaction whose work rejects is rolled back, and its connection goes on', async () => {
    await withDatabase({ connectionsMax: 1 }, async (database) => {
      const insert = {
        name: 'insert',
        text: "INSERT INTO latchkey.organizations (id, name) VALUES ('back', 'Back')",
      };
      const writing = database.transaction(async (session) => {
        await session.query(insert, []);
        throw new TypeError('a bug');
      }, signal);
      await expect(writing).rejects.toThrow(TypeError);
      expect(
        await database.query(
          { name: 'look', text: "SELECT 1 FROM latchkey.organizations WHERE id = 'back'" },
          [],
          signal,
        ),
      ).toEqual([]);
      expect(database.connections()).toBe(1);
    });
  });
});

describe('a server that goes away and comes back', () => {
  it('an idle connection that is ended is news for the log, not the end of the process', async () => {
    const warnings: string[] = [];
    const log: DatabaseOptions['log'] = (level, message) =>
      level === 'warn' && warnings.push(message);
    await withDatabase({ applicationName: 'idle', log }, async (database) => {
      await database.query(ONE, [], signal);
      await postgres.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'idle'",
      );
      await until('noticed', () => warnings.length > 0);
      expect(await database.query(ONE, [], signal)).toEqual([{ one: 1 }]);
    });
  });

  it('one that the server ends while our goodbye is on its way is no news', async () => {
    const told: string[] = [];
    const log: DatabaseOptions['log'] = (_, message) => told.push(message);
    const database = postgres.database({ applicationName: 'leaving', log });
    const [row] = await database.query<{ pid: number }>(PID, [], signal);
    await postgres.pause();
    const closing = database.close();
    // Waits for the server with the goodbye, and is heard before it.
    process.kill(row?.pid ?? 0, 'SIGTERM');
    await postgres.resume();
    await closing;
    await until('it is gone', async () => (await postgres.connections('leaving')) === 0);
    expect(told).toEqual([]);
  });

  it.each(['restart', 'kill'] as const)('%s: the same pool answers again', async (how) => {
    await withDatabase({}, async (database) => {
      await database.query(ONE, [], signal);
      if (how === 'restart') await postgres.restart();
      else {
        await postgres.kill();
        const { error } = await outcome(database.query(ONE, [], signal));
        expect(error).toBeInstanceOf(StoreUnavailableError);
        await postgres.start();
      }
      // A connection that broke unnoticed may cost one query.
      await outcome(database.query(ONE, [], signal));
      expect(await database.query(ONE, [], signal)).toEqual([{ one: 1 }]);
    });
  });

  it('stopped by SIGSTOP: callers are let go at their own deadline, and it goes on afterwards', async () => {
    await withDatabase({}, async (database) => {
      await database.query(ONE, [], signal);
      await postgres.pause();
      const { error, afterMs } = await outcome(database.query(ONE, [], AbortSignal.timeout(150)));
      await postgres.resume();
      expect(error).toBeInstanceOf(StoreUnavailableError);
      expect(afterMs).toBeLessThan(1_500);
      expect(await database.query(ONE, [], signal)).toEqual([{ one: 1 }]);
    });
  });
});

describe('what a sidecar takes of the server', () => {
  it('three connections at most: two to ask and one to listen', async () => {
    const applicationName = 'sidecar';
    const hints = createChangeHints({
      url: postgres.url,
      applicationName,
      log: () => {},
      random: Math.random,
    });
    let isListening = false;
    hints.start({
      onHint: () => {},
      onState: (connected) => {
        isListening = connected;
      },
    });
    await withDatabase({ applicationName }, async (database) => {
      await until('listening', () => isListening);
      const counts: number[] = [];
      const lookups = Array.from({ length: 60 }, () => database.query(SLEEP, [0.01], signal));
      const watching = (async () => {
        for (let look = 0; look < 5; look += 1)
          counts.push(await postgres.connections(applicationName));
      })();
      await Promise.all([...lookups, watching]);
      expect(Math.max(...counts)).toBe(3);
    });
    await hints.stop();
  });

  it('one question about TLS for any number of callers, and none while connections are there', async () => {
    const { proxy, url } = await postgres.proxy();
    const preferring = changeUrl(url, { parameters: { sslmode: 'prefer' } });
    await withDatabase({ url: preferring }, async (database) => {
      const ask = () => database.query(SLEEP, [0.01], signal);
      await Promise.all(Array.from({ length: 20 }, ask));
      // The question and two connections; a third caller may have asked again before the second one was there.
      expect(proxy.accepted()).toBeLessThanOrEqual(4);
      const known = proxy.accepted();
      await Promise.all(Array.from({ length: 20 }, ask));
      expect(proxy.accepted()).toBe(known);
    });
  });

  it('and nothing that keeps the process alive after close(), even in a black hole', async () => {
    const { proxy, url } = await postgres.proxy();
    const pool = new URL('../../../src/postgres/pool.ts', import.meta.url);
    const child = spawn(
      process.execPath,
      [
        '--input-type=module',
        '--eval',
        `
      const { createDatabase } = await import('${pool}');
      const [, url] = process.argv;
      const database = createDatabase({ url, applicationName: 'child', log() {} });
      await database.query({ name: 'one', text: 'SELECT 1' }, [], AbortSignal.timeout(5_000));
      process.stdin.once('data', () => { process.stdin.destroy(); database.close(); });
      console.log('ready');
    `,
        url,
      ],
      { stdio: ['pipe', 'pipe', 'inherit'] },
    );
    const exit = once(child, 'exit');
    await once(child.stdout, 'data');
    proxy.setMode('blackhole');
    child.stdin.write('close');
    const late = setTimeout(() => child.kill(), 10_000);
    expect(await exit).toEqual([0, null]);
    clearTimeout(late);
  });

  it('no more of close() than its time, even while a connection is being made in a black hole', async () => {
    const { proxy, url } = await postgres.proxy();
    proxy.setMode('blackhole');
    const database = postgres.database({ url, connectTimeoutMs: 20_000 });
    const asked = database.query(ONE, [], AbortSignal.timeout(20_000)).catch((error) => error);
    await until('a connection', () => proxy.accepted() > 0);
    const startedMs = performance.now();
    await Promise.all([database.close(), database.close()]);
    expect(performance.now() - startedMs).toBeLessThan(3_000);
    expect(await asked).toBeInstanceOf(StoreUnavailableError);
  });

  it('named statements, and none where they are switched off; then it sets nothing at the start either', async () => {
    const prepared = {
      name: 'prepared',
      text: 'SELECT name FROM pg_prepared_statements ORDER BY name',
    };
    const timeout = {
      name: 'timeout',
      text: "SELECT current_setting('statement_timeout') AS value",
    };
    await withDatabase({ connectionsMax: 1, queryTimeoutMs: 4_000 }, async (database) => {
      expect(await database.query(prepared, [], signal)).toEqual([{ name: 'prepared' }]);
      expect(await database.query(timeout, [], signal)).toEqual([{ value: '4s' }]);
    });
    await withDatabase({ connectionsMax: 1, preparedStatements: false }, async (database) => {
      expect(await database.query(prepared, [], signal)).toEqual([]);
      expect(await database.query(timeout, [], signal)).toEqual([{ value: '0' }]);
    });
  });
});
