import {
  type DestinationStream,
  destination as openDestination,
  pino,
  stdTimeFunctions,
} from 'pino';
import type { Log, LogLevel } from './ports.ts';

export interface LoggerOptions {
  readonly level: LogLevel | 'silent';
  /** Which replica speaks: several write to one place. */
  readonly replica: string;
  readonly sink: LogSink;
}

/** Takes whole lines, each with its newline. */
export interface LogSink extends DestinationStream {
  /** Resolves when what came before is written, in order, or when waiting for it has lasted too long. For the end of the process. */
  end(): Promise<void>;
}

/** Lines that wait for a slow reader of the log; beyond it they are dropped and counted, since a sidecar must not wait for its log. */
const BUFFER_BYTES_MAX = 1024 * 1024;
/** A pipe that nobody reads must not keep a stopped process. */
const END_MS_MAX = 1000;

/** JSON, one object a line, ASCII only. */
export function createLog({ level, replica, sink }: LoggerOptions): Log {
  const logger = pino(
    {
      level,
      base: { replica },
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      hooks: { streamWrite: toAscii },
    },
    sink,
  );
  // The message before the fields: whoever reads a terminal at night reads from the left.
  return (lineLevel, message, fields = {}) => logger[lineLevel]({ message, ...fields });
}

/** A file descriptor (1 is standard output), written in the background. */
export function openLogSink(fd: number, onDropped: () => void): LogSink {
  const stream = openDestination({ fd, sync: false, maxLength: BUFFER_BYTES_MAX });
  stream.on('drop', onDropped);
  // A full disk or a closed pipe loses lines; it must not end the process.
  stream.on('error', onDropped);
  let ending: Promise<void> | undefined;
  return {
    write(line) {
      if (ending === undefined) stream.write(line);
      else onDropped();
    },
    end() {
      ending ??= new Promise((resolve) => {
        const timer = setTimeout(resolve, END_MS_MAX);
        stream.once('close', () => {
          clearTimeout(timer);
          resolve();
        });
        stream.end();
      });
      return ending;
    },
  };
}

/**
 * JSON escapes the control characters below U+0020. The others (DEL, the C1 set with its terminal commands, the line
 * separators U+2028 and U+2029) pass through it, and a terminal or a log viewer may obey them. In JSON anything beyond
 * ASCII stands inside a string, where an escape means the same.
 */
function toAscii(line: string): string {
  return line.replace(
    /[\u007f-\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
