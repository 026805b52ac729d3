import { utimes } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { startTestPostgres } from '../../support/postgres.ts';
import { templateDir } from '../../support/postgres-template.ts';

it('the server of one test file outlives the start of the next, however old the template is', async () => {
  const longAgo = new Date(0);
  await utimes(await templateDir(), longAgo, longAgo);
  const first = await startTestPostgres();
  const second = await startTestPostgres();
  expect(await first.sql('SELECT 1 AS alive')).toEqual([{ alive: 1 }]);
  await first.restart();
  expect(await first.sql('SELECT 1 AS alive')).toEqual([{ alive: 1 }]);
  await Promise.all([first.close(), second.close()]);
});
