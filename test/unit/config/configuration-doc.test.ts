import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { describeConfig } from '../../../src/config/describe-config.ts';
import { readServeConfig } from '../../../src/config/read-config.ts';
import { SETTINGS, type Setting } from '../../../src/config/settings.ts';

const DOC = readFileSync(new URL('../../../docs/configuration.md', import.meta.url), 'utf8');
const ENTRIES: readonly Setting[] = Object.values(SETTINGS);

describe('docs/configuration.md', () => {
  it('has one row for each setting, word for word, and no other', () => {
    const rows = DOC.split('\n').filter((line) => line.startsWith('| `LATCHKEY_'));
    expect(rows).toEqual(describeConfig());
  });

  it('names no variable that does not exist', () => {
    const environment: Record<string, string> = {};
    for (const [name] of DOC.matchAll(/LATCHKEY_[A-Z0-9_]*[A-Z0-9]/g)) environment[name] = 'x';
    const reading = readServeConfig({}, environment, () => undefined);
    const problems = reading.kind === 'invalid' ? reading.problems : [];
    expect(problems.filter((problem) => problem.includes('is no variable'))).toEqual([]);
  });
});

describe('the settings', () => {
  it('have defaults that are valid', () => {
    for (const { variable, fallback, value } of ENTRIES) {
      if (fallback !== undefined) expect(value.safeParse(fallback).success, variable).toBe(true);
    }
  });

  it('are each of their own variable and option', () => {
    const variables = ENTRIES.map(({ variable }) => variable);
    const options = ENTRIES.flatMap(({ flag, fileFlag }) => [flag, fileFlag]).filter(Boolean);
    expect(new Set(variables).size).toBe(variables.length);
    expect(new Set(options).size).toBe(options.length);
  });

  it('take no secret as an option', () => {
    for (const { variable, secret, flag } of ENTRIES) {
      if (secret) expect(flag, variable).toBeUndefined();
    }
  });
});
