import { describe, expect, it } from 'vitest';
import { errorFields } from '../../../src/telemetry/error-fields.ts';

const SECRET = 'lk_live_0123456789abcdefghijklmnopqrstuvwxyz0123456789';

/** The real errors of Node and of the engine that repeat what they were given. */
const REPEATING: readonly [string, () => unknown][] = [
  ['an Error of anybody', () => new Error(`no row for ${SECRET}`)],
  ['a text over several lines', () => new Error(`a\n    at ${SECRET} (file:1:1)\n${SECRET}`)],
  ['JSON.parse', () => thrownBy(() => JSON.parse(`{"key": ${SECRET}`))],
  [
    'an argument that Node refuses',
    () => thrownBy(() => Buffer.alloc(1).fill('', SECRET as 'hex')),
  ],
  ['a URL', () => thrownBy(() => new URL(SECRET))],
  ['a cause', () => new Error('outer', { cause: new Error(SECRET) })],
  ['a code', () => Object.assign(new Error('x'), { code: SECRET })],
  [
    'fields of its own',
    () => Object.assign(new Error('x'), { detail: SECRET, parameters: [SECRET] }),
  ],
  ['a name', () => Object.assign(new Error('x'), { stack: SECRET })],
  ['a thrown text', () => SECRET],
  ['a thrown object', () => ({ secret: SECRET })],
];

describe('errorFields', () => {
  it.each(REPEATING)('does not repeat what the error holds: %s', (_title, make) => {
    const text = JSON.stringify(errorFields(make()));

    expect(text).not.toContain(SECRET);
    expect(text).not.toContain(SECRET.slice(0, 16));
  });

  it('tells class, code and place', () => {
    const error = Object.assign(new Error('connect'), { code: 'ECONNREFUSED', name: 'StoreError' });

    expect(errorFields(error)).toMatchObject({
      error: 'StoreError',
      error_code: 'ECONNREFUSED',
      error_stack: expect.stringContaining('error-fields.test.ts'),
    });
  });

  it('tells the text of a mistake in the code, which names no value', () => {
    const nothing: { size: number } | undefined = JSON.parse('null');
    const error = thrownBy(() => (nothing as { size: number }).size);

    expect(errorFields(error)['error_message']).toMatch(/reading 'size'/);
  });

  it('names the cause', () => {
    const cause = Object.assign(new Error(), { code: '57P01' });
    expect(errorFields(new Error('outer', { cause }))['error_cause']).toBe('Error 57P01');
  });
});

function thrownBy(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  throw new Error('it should have thrown');
}
