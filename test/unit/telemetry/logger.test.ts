import { describe, expect, it } from 'vitest';
import { createLog, type LogSink } from '../../../src/telemetry/logger.ts';

function writtenBy(say: (log: ReturnType<typeof createLog>) => void, level = 'debug' as const) {
  const lines: string[] = [];
  const sink: LogSink = { write: (line) => lines.push(line), end: () => Promise.resolve() };
  say(createLog({ level, replica: 'pod-1', sink }));
  return lines;
}

describe('a log line', () => {
  it('is one JSON object with level, time, replica, message and the fields', () => {
    const [line = ''] = writtenBy((log) =>
      log('warn', 'store is away', { attempts: 3, why: null }),
    );

    const { time, ...rest } = JSON.parse(line);
    expect(rest).toEqual({
      level: 'warn',
      replica: 'pod-1',
      message: 'store is away',
      attempts: 3,
      why: null,
    });
    expect(time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  });

  it.each([
    { title: 'a line break', text: 'a\r\nb' },
    { title: 'a forged line', text: '\n{"level":"error","message":"all is well"}' },
    { title: 'a forged field', text: '","level":"error","x":"' },
    { title: 'a terminal command', text: '\u001b[2J\u001b]0;title\u0007' },
    { title: 'an 8-bit terminal command', text: '\u009b2J' },
    { title: 'DEL and NUL', text: '\u007f\u0000' },
    { title: 'line separators', text: 'a\u2028b\u2029c\u0085d' },
    { title: 'bytes that are no ASCII', text: '\u00c3\u00a9\u00ff' },
    { title: 'half a surrogate pair', text: '\ud83d' },
    { title: 'bidirectional overrides', text: '\u202egpj.exe' },
    { title: 'a long text with a quote at its end', text: `${'a'.repeat(200)}"` },
    { title: 'a backslash at its end', text: 'a\\' },
    { title: 'printf placeholders', text: '%s %d %j %o' },
  ])('holds $title as data: one line, printable ASCII, the same text when read', ({ text }) => {
    const lines = writtenBy((log) => log('info', 'denied', { path: text }));

    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/^[\x20-\x7e]*\n$/);
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ path: text, level: 'info' });
  });

  it('leaves out fields that are undefined', () => {
    const [line = ''] = writtenBy((log) => log('info', 'm', { rule: undefined }));
    expect(JSON.parse(line)).not.toHaveProperty('rule');
  });

  it('is not written below the level', () => {
    const say = (log: ReturnType<typeof createLog>) => {
      log('debug', 'a');
      log('info', 'b');
      log('warn', 'c');
    };
    const lines: string[] = [];
    const sink: LogSink = { write: (line) => lines.push(line), end: () => Promise.resolve() };
    say(createLog({ level: 'warn', replica: 'pod-1', sink }));
    say(createLog({ level: 'silent', replica: 'pod-1', sink }));

    expect(lines.map((line) => JSON.parse(line).message)).toEqual(['c']);
  });
});
