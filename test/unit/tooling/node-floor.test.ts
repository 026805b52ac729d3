import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { FLOOR_VERSION } from '../../support/node-floor.ts';

it('the tests run on the oldest Node that package.json promises', () => {
  const packageJson = readFileSync(join(import.meta.dirname, '../../../package.json'), 'utf8');
  expect(JSON.parse(packageJson).engines.node).toBe(`>=${FLOOR_VERSION}`);
});
