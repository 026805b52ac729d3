import { execFileSync } from 'node:child_process';
import { constants, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openLogSink } from '../../../src/telemetry/logger.ts';

const folder = mkdtempSync(join(tmpdir(), 'latchkey-log-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('the sink of the log', () => {
  it('has written everything, in order, when it has ended', async () => {
    const file = join(folder, 'log');
    const fd = openSync(file, 'w');
    let dropped = 0;
    const sink = openLogSink(fd, () => {
      dropped += 1;
    });

    for (let n = 0; n < 1000; n += 1) sink.write(`line ${n}\n`);
    await sink.end();

    const lines = Array.from({ length: 1000 }, (_, n) => `line ${n}\n`);
    expect(readFileSync(file, 'utf8')).toBe(lines.join(''));
    expect(dropped).toBe(0);
    sink.write('too late');
    expect(dropped).toBe(1);
  });

  it('drops and counts lines beyond its buffer when nobody reads them, and waits for nobody', () => {
    const fifo = join(folder, 'fifo');
    execFileSync('mkfifo', [fifo]);
    // Opened for both directions, so that neither the opening nor the end waits for a reader.
    const fd = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK);
    let dropped = 0;
    const sink = openLogSink(fd, () => {
      dropped += 1;
    });
    const line = `${'x'.repeat(1023)}\n`;

    for (let n = 0; n < 4096; n += 1) sink.write(line);

    // Four MiB came; one waits and some is in the pipe.
    expect(dropped).toBeGreaterThan(2048);
    expect(dropped).toBeLessThan(4096);
  });
});
