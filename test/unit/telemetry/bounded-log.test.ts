import { expect, it } from 'vitest';
import { boundedLog } from '../../../src/telemetry/bounded-log.ts';
import { handClock, keptLog } from './fixtures.ts';

function setUp() {
  const { log, lines } = keptLog();
  const { clock, advance } = handClock();
  return { bounded: boundedLog(log, clock), lines, advance };
}

it('tells the beginning of a flood, and then a line now and then that counts the others', () => {
  const { bounded, lines, advance } = setUp();
  for (let count = 0; count < 1000; count += 1) bounded('error', 'fault', { error: 'TypeError' });
  expect(lines).toHaveLength(10);
  advance(10_000);
  bounded('error', 'fault', { error: 'TypeError' });
  bounded('error', 'fault', { error: 'TypeError' });
  expect(lines.slice(10)).toEqual([
    { level: 'error', message: 'fault', fields: { error: 'TypeError', suppressed: 990 } },
  ]);
});

it('writes no more than a line in ten seconds of what comes all day long', () => {
  const { bounded, lines, advance } = setUp();
  for (let second = 0; second < 86_400; second += 1) {
    bounded('error', 'fault');
    advance(1000);
  }
  expect(lines.length).toBeLessThanOrEqual(8650);
  expect(lines.length).toBeGreaterThan(8600);
});

it('leaves nothing out of what is rare', () => {
  const { bounded, lines, advance } = setUp();
  for (let count = 0; count < 100; count += 1) {
    bounded('warn', 'TLS handshake failed');
    advance(10_000);
  }
  expect(lines).toHaveLength(100);
  expect(lines.every(({ fields }) => fields['suppressed'] === undefined)).toBe(true);
});
