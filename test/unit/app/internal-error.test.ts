import { describe, expect, it } from 'vitest';
import { internalErrorLines } from '../../../src/app/internal-error.ts';

const SECRET = 'postgres://latchkey:hunter2@db.example.com/latchkey';

describe('a bug is told', () => {
  it('on one line, with its place and without what was being worked on', () => {
    const bug = new Error(`cannot parse ${SECRET}\nat once`);
    const lines = internalErrorLines(bug, {});
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(
      /^latchkey: internal error, please report it: Error at .*internal-error\.test\.ts:\d+:\d+/,
    );
    expect(lines[0]).toContain('LATCHKEY_LOG_LEVEL=debug');
    expect(lines[0]).not.toContain('hunter2');
  });

  it('with the words of the engine, which name no values', () => {
    const lines = internalErrorLines(new TypeError('x is not a function'), {});
    expect(lines[0]).toContain('TypeError x is not a function at ');
  });

  it.each([SECRET, undefined, null, { password: 'hunter2' }])(
    'even when it is no error',
    (thrown) => {
      const lines = internalErrorLines(thrown, { LATCHKEY_LOG_LEVEL: 'info' });
      expect(lines).toHaveLength(1);
      expect(lines.join()).not.toContain('hunter2');
    },
  );

  it('with its whole stack to whoever asks for debugging', () => {
    const lines = internalErrorLines(new Error('details'), { LATCHKEY_LOG_LEVEL: 'debug' });
    expect(lines[0]).toBe('Error: details');
    expect(lines.length).toBeGreaterThan(2);
  });
});
